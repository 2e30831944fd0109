// Every signal of the model over a text, as charlstm/inside/trace.py: computed in a worker, sent in pieces.

import { signalsOf } from "./cells.js";
import { likeliest, softmax } from "./sampling.js";

/** Characters in a piece. */
const PIECE = 64;

/** The best guesses that are kept for each place. */
const GUESSES = 5;

/**
 * Read a text. A step of this generator reads a character; messages go to `send`, each with a piece of the text: of
 * every member and layer, each signal of each character in turn, [count · size]; the bits of the surprise at each
 * character, NaN where nothing was read before it; and the best guesses for the next one.
 */
export function* follow(model, vocab, { task, text }, send) {
  const state = model.initialState();
  const { shown, ids } = vocab.encode(vocab.fitted(text));
  let expected = null;
  for (const id of vocab.opening(ids)) expected = softmax(model.step(id, state));
  for (let from = 0; from < ids.length; from += PIECE) {
    const count = Math.min(PIECE, ids.length - from);
    const signals = model.members.map((member) => member.layers.map((layer) => emptyOf(layer, model.config, count)));
    const bits = new Float32Array(count).fill(NaN), guesses = [];
    for (let k = 0; k < count; k++) {
      const id = ids[from + k];
      if (expected) bits[k] = -Math.log2(expected[id]);
      expected = softmax(model.step(id, state));
      model.members.forEach((member, m) => member.layers.forEach((layer, l) => {
        for (const [name, values] of Object.entries(signals[m][l])) {
          const now = layer.signals[name] ?? state[m][l][name];
          values.set(now, k * now.length);
        }
      }));
      guesses.push(likeliest(expected, GUESSES));
      yield;
    }
    send({ kind: "traced", task, from, count, shown: shown.slice(from, from + count), signals, bits, guesses });
  }
  send({ kind: "traced", task, from: ids.length, count: 0, shown: [], signals: null, bits: null, guesses: [] });
}

function emptyOf(layer, { hidden_size }, count) {
  const size = (name) => layer.signals[name]?.length ?? hidden_size;
  return Object.fromEntries(signalsOf(layer).map((name) => [name, new Float32Array(count * size(name))]));
}
