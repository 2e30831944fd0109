// A text that grows and is changed: what the model makes of each character, read once.

import { copied } from "./model.js";
import { likeliest, softmax } from "./sampling.js";

/** States are kept after so many characters: to go back costs no more than to read these again. */
const EVERY = 32;

/** The likeliest characters that are noted at each place. */
const OTHERS = 8;

/** Reads texts. A text with the same beginning as the last one is read on from there. */
export class Reader {
  constructor(model) {
    this.model = model;
    this.begin();
  }

  begin() {
    this.ids = [];
    this.notes = []; // for each character how surprising it was, in bits, and the likeliest ones at its place
    this.state = this.model.initialState();
    this.logits = null;
    this.kept = [{ length: 0, state: copied(this.state), logits: null }];
  }

  /** Read one character more; returns what is noted of it, or null for the first one. */
  read(id) {
    this.notes.push(this.logits && noted(this.logits, id));
    this.logits = this.model.step(id, this.state);
    this.ids.push(id);
    if (this.ids.length % EVERY === 0) {
      this.kept.push({ length: this.ids.length, state: copied(this.state), logits: this.logits.slice() });
    }
    return this.notes.at(-1);
  }

  /** Go back to a text of these ids, as far as the last one began like it; returns how many of them are read. */
  backTo(ids) {
    let common = 0;
    while (common < ids.length && common < this.ids.length && ids[common] === this.ids[common]) common++;
    if (common === this.ids.length) return common;
    while (this.kept.at(-1).length > common) this.kept.pop();
    const { length, state, logits } = this.kept.at(-1);
    this.ids.length = this.notes.length = length;
    this.state = copied(state);
    this.logits = logits;
    return length;
  }
}

function noted(logits, id) {
  const probabilities = softmax(logits);
  return { bits: -Math.log2(probabilities[id]), others: likeliest(probabilities, OTHERS) };
}
