// The model: Embedding → layers → Linear, for one text, a character at a time. As charlstm/model/charlstm.py.

import { layerOf } from "./cells.js";
import { product } from "./product.js";

/** The greatest memory, in numbers, for what the characters of the vocabulary give to the lowest layer. */
const MOST_KEPT = 1 << 24;

class Member {
  constructor(config, weights) {
    const { cell, hidden_size, num_layers, embedding_dim, vocab_size } = config;
    this.embedding = weights["embedding.weight"];
    this.layers = Array.from({ length: num_layers }, (_, number) => {
      const prefix = `stack.layers.${number}.`;
      const own = Object.entries(weights).filter(([name]) => name.startsWith(prefix));
      const named = Object.fromEntries(own.map(([name, weight]) => [name.slice(prefix.length), weight]));
      return layerOf(cell, number, named, hidden_size, number ? hidden_size : embedding_dim);
    });
    this.head = weights["head.weight"];
    this.bias = weights["head.bias"].data;
    this.logits = new Float32Array(vocab_size);
    this.projected = this.layers.map((layer) => new Float32Array(layer.weights.weight_ih.rows));
    this.kept = vocab_size * this.projected[0].length <= MOST_KEPT ? new Array(vocab_size) : null;
  }

  /** W x + b of the lowest layer for a character. It is computed once for each character, where memory allows. */
  lowestInput(id) {
    const { kind } = this.layers[0];
    const x = this.embedding.data.subarray(id * this.embedding.columns, (id + 1) * this.embedding.columns);
    if (kind.readsInput) return x;
    if (this.kept?.[id]) return this.kept[id];
    const { weight_ih, bias } = this.layers[0].weights;
    const wx = this.kept ? (this.kept[id] = new Float32Array(weight_ih.rows)) : this.projected[0];
    product(weight_ih, x, bias.data, wx);
    return wx;
  }

  /** Read a character: `state` becomes the state after it, `logits` those of the next character. */
  step(id, state) {
    this.layers.forEach((layer, number) => {
      const { h, c } = state[number], below = number ? state[number - 1] : null;
      let wx = below === null ? this.lowestInput(id) : below.h;
      if (below !== null && !layer.kind.readsInput) {
        product(layer.weights.weight_ih, below.h, layer.weights.bias.data, this.projected[number]);
        wx = this.projected[number];
      }
      layer.kind.step(layer, wx, h, c, below?.c);
    });
    product(this.head, state.at(-1).h, this.bias, this.logits);
  }
}

export class Model {
  /**
   * @param config the settings of the checkpoint's model, by their names in Python
   * @param tensors the weights by their names in the checkpoint: {data, rows, columns}
   */
  constructor(config, tensors) {
    this.config = config;
    this.members = Array.from({ length: config.ensemble_size }, (_, number) => {
      const prefix = `members.${number}.`;
      const own = Object.entries(tensors).filter(([name]) => name.startsWith(prefix));
      return new Member(config, Object.fromEntries(own.map(([name, tensor]) => [name.slice(prefix.length), tensor])));
    });
    this.logits = new Float32Array(config.vocab_size);
  }

  /** The state before anything is read: for each member, for each layer, h and c. */
  initialState() {
    const { hidden_size, num_layers } = this.config;
    const layer = () => ({ h: new Float32Array(hidden_size), c: new Float32Array(hidden_size) });
    return this.members.map(() => Array.from({ length: num_layers }, layer));
  }

  /** Read a character. `state` becomes the state after it; returns the logits of the next one, in an array of its own. */
  step(id, state) {
    this.members.forEach((member, number) => member.step(id, state[number]));
    if (this.members.length === 1) return this.members[0].logits;
    // The logits of the mean of the members' probabilities.
    this.logits.fill(0);
    for (const member of this.members) {
      const total = logSumExp(member.logits);
      for (let k = 0; k < this.logits.length; k++) this.logits[k] += Math.exp(member.logits[k] - total);
    }
    for (let k = 0; k < this.logits.length; k++) this.logits[k] = Math.log(this.logits[k] / this.members.length);
    return this.logits;
  }
}

/** A state of its own with the same numbers. */
export function copied(state) {
  return state.map((member) => member.map(({ h, c }) => ({ h: h.slice(), c: c.slice() })));
}

/** log Σ exp, of finite numbers. */
function logSumExp(values) {
  let highest = -Infinity, sum = 0;
  for (const value of values) if (value > highest) highest = value;
  for (const value of values) sum += Math.exp(value - highest);
  return highest + Math.log(sum);
}
