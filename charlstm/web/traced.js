// What came from the worker of a text: every signal of every character, as it arrives.

import { signalCount } from "./cells.js";

/** The most bytes of signals that a page holds; it decides how long a text may be. */
const MOST_BYTES = 5e8;

export class Trace {
  /** @param {number} length the characters of the text */
  constructor(length) {
    this.room = length;
    this.length = 0; // so many are there already
    this.shown = [];
    this.bits = new Float32Array(length);
    this.guesses = [];
    this.layers = null; // [member][layer][name]: {size, values}
  }

  /** Put a piece of the worker's behind what is there. */
  add({ from, count, shown, signals, bits, guesses }) {
    if (!count) return;
    this.layers ??= signals.map((member) => member.map((layer) => Object.fromEntries(Object.entries(layer).map(
      ([name, values]) => [name, { size: values.length / count, values: new Float32Array((values.length / count) * this.room) }]))));
    signals.forEach((member, m) => member.forEach((layer, l) => {
      for (const [name, values] of Object.entries(layer)) {
        const kept = this.layers[m][l][name];
        kept.values.set(values, from * kept.size);
      }
    }));
    this.bits.set(bits, from);
    this.shown.push(...shown);
    this.guesses.push(...guesses);
    this.length = from + count;
  }

  /** The names of a layer's signals. */
  names(member, layer) {
    return this.layers ? Object.keys(this.layers[member][layer]) : [];
  }

  /** A function (name, at, unit) → a number; before the first character all is 0. */
  of(member, layer) {
    const signals = this.layers[member][layer];
    return (name, at, unit) => (at < 0 ? 0 : signals[name].values[at * signals[name].size + unit]);
  }

  /** How many numbers a signal has at a character. */
  size(member, layer, name) {
    return this.layers[member][layer][name === "t" ? "c" : name].size;
  }
}

/** How many characters of a text a page can hold. */
export function longest({ cell, hidden_size, num_layers, ensemble_size }) {
  return Math.floor(MOST_BYTES / (4 * hidden_size * num_layers * ensemble_size * signalCount(cell)));
}
