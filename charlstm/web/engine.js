// The worker that computes, seen from the page.

import { unpacked } from "./weights.js";

export class Engine {
  /**
   * @param data what the page holds
   * @param {string} base64 the weights
   * @param {string} program the text of the page's script, which is the worker's, too
   */
  constructor(data, base64, program) {
    const address = URL.createObjectURL(new Blob([program], { type: "text/javascript" }));
    this.worker = new Worker(address);
    this.task = 0;
    this.listener = () => {};
    this.fails = () => {}; // is told why, where the worker can't go on
    this.worker.onerror = ({ message }) => this.fails(message);
    this.worker.onmessage = ({ data: message }) => {
      if (message.kind === "opened") this.opened();
      else if (message.task === this.task) this.listener(message);
    };
    const opened = new Promise((resolve) => (this.opened = resolve));
    this.ready = unpacked(base64).then((bytes) => {
      const { model: config, vocab, tensors, precision } = data;
      this.worker.postMessage({ kind: "open", task: 0, config, vocab, tensors, precision, bytes }, [bytes]);
      return opened;
    });
    this.ready.catch((error) => this.fails(String(error)));
  }

  /** Do something else than before; `listener` gets its messages, and `fails` why it can't be done. */
  async run(message, listener, fails) {
    const task = ++this.task;
    [this.listener, this.fails] = [listener, fails];
    await this.ready.catch((error) => fails(String(error)));
    if (task === this.task) this.worker.postMessage({ ...message, task });
  }

  /** Do nothing any more. */
  stop() {
    this.worker.postMessage({ kind: "stop", task: ++this.task });
  }
}
