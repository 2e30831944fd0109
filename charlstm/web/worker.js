// What computes: a worker, so that the page never stalls. It answers messages, and works in short turns between them.

import { Model } from "./model.js";
import { Reader } from "./reader.js";
import { draw, randomOf } from "./sampling.js";
import { follow } from "./trace.js";
import { END, UNKNOWN, Vocab } from "./vocab.js";
import { tensorsIn } from "./weights.js";

/** Milliseconds of a turn: then messages are looked at, such as one to stop. */
const TURN = 25;

export function work(scope) {
  let model, vocab, reader;
  let next = () => {}; // the next turn
  const turns = new MessageChannel();
  turns.port1.onmessage = () => next();
  let task = 0; // the number of what is being done; a new message makes it another one

  scope.onmessage = ({ data }) => {
    task = data.task;
    if (data.kind === "stop") return;
    if (data.kind === "open") {
      model = new Model(data.config, tensorsIn(data.bytes, data.tensors, data.precision));
      vocab = new Vocab(data.vocab);
      reader = new Reader(model);
      scope.postMessage({ kind: "opened", task });
    } else if (data.kind === "write") {
      inTurns(writing(data), data.task);
    } else if (data.kind === "trace") {
      inTurns(follow(model, vocab, data, (message) => scope.postMessage(message)), data.task);
    }
  };

  /** Go on with some work, a turn at a time, for as long as nothing else is wanted. */
  function inTurns(steps, own) {
    if (task !== own) return;
    const end = performance.now() + TURN;
    while (performance.now() < end) if (steps.next().done) return;
    next = () => inTurns(steps, own);
    turns.port2.postMessage(null); // other messages come in first; a timer would wait for four milliseconds
  }

  /** Read a beginning, then write after it. Each character is sent with what the reader notes of it. */
  function* writing({ task: own, prime, length, settings, seed, stops }) {
    const { shown, ids } = vocab.encode(vocab.fitted(prime)), opening = vocab.opening(ids);
    const all = [...opening, ...ids], random = randomOf(seed), never = new Set([vocab.ids.get(UNKNOWN)]);
    let batch = [], sent = performance.now();
    const send = (end) => {
      scope.postMessage({ kind: "written", task: own, characters: batch, end });
      [batch, sent] = [[], performance.now()];
    };
    const read = reader.backTo(all);
    reader.notes.slice(opening.length).forEach((note, at) => batch.push({ character: shown[at], note }));
    for (let at = read; at < all.length; at++) {
      const note = reader.read(all[at]);
      if (at >= opening.length) batch.push({ character: shown[at - opening.length], note });
      if (performance.now() - sent > TURN) send(null);
      yield;
    }
    let text = "";
    for (let count = 0; count < length; count++) {
      const id = draw(reader.logits, never, settings, random), character = vocab.characters[id];
      const note = reader.read(id);
      if (character === END) return send({ why: "document" });
      batch.push({ character, note, isNew: true });
      text += character;
      const stop = stops.find((each) => text.endsWith(each));
      if (stop !== undefined) return send({ why: "stop", length: Array.from(stop).length });
      if (performance.now() - sent > TURN) send(null);
      yield;
    }
    send({ why: "length" });
  }
}
