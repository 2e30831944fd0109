// The recurrent cells: one step of each, with the names and the equations of charlstm/model/cells.py.
//
// A layer has `weights` by the names of the checkpoint, `signals` by the names of Python's trace, [H] each, and room to
// compute in. A step reads the state before, h and c, and leaves the state after in the same arrays. Where a kind has no
// memory, c means nothing.

import { product, sigmoid } from "./product.js";

const room = (n) => new Float32Array(n);

/** The arrays of some signals, [size] each. */
const arrays = (names, size) => Object.fromEntries(names.map((name) => [name, room(size)]));

/** i, f, g and o, from what stands inside their σ and tanh, [4H]. */
function squash(sums, { i, f, g, o }) {
  const n = i.length;
  for (let k = 0; k < n; k++) {
    i[k] = sigmoid(sums[k]);
    f[k] = sigmoid(sums[n + k]);
    g[k] = Math.tanh(sums[2 * n + k]);
    o[k] = sigmoid(sums[3 * n + k]);
  }
}

/** c = f ⊙ c₋ + i ⊙ g,  h = o ⊙ tanh(c) */
function remember({ i, f, g, o }, h, c) {
  for (let k = 0; k < h.length; k++) {
    c[k] = f[k] * c[k] + i[k] * g[k];
    h[k] = o[k] * Math.tanh(c[k]);
  }
}

const lstm = {
  gates: ["i", "f", "g", "o"],
  hasMemory: true,
  step(layer, wx, h, c) {
    product(layer.weights.weight_hh, h, wx, layer.sums);
    squash(layer.sums, layer.signals);
    remember(layer.signals, h, c);
  },
};

const rnn = {
  gates: ["h"],
  step(layer, wx, h) {
    product(layer.weights.weight_hh, h, wx, layer.sums);
    for (let k = 0; k < h.length; k++) h[k] = Math.tanh(layer.sums[k]);
  },
};

const gru = {
  gates: ["r", "z", "n"],
  step(layer, wx, h) {
    const { r, z, n } = layer.signals, { bias_n } = layer.weights, rh = layer.sums, size = h.length;
    product(layer.weights.weight_hh, h, null, rh);
    for (let k = 0; k < size; k++) {
      r[k] = sigmoid(wx[k] + rh[k]);
      z[k] = sigmoid(wx[size + k] + rh[size + k]);
      n[k] = Math.tanh(wx[2 * size + k] + r[k] * (rh[2 * size + k] + bias_n.data[k]));
      h[k] = z[k] * h[k] + (1 - z[k]) * n[k];
    }
  },
};

const gruResetBefore = {
  gates: ["r", "z", "n"],
  prepare(layer, size) {
    const { data, columns } = layer.weights.weight_hh;
    layer.weightN = { data: data.subarray(2 * size * columns), rows: size, columns };
    layer.resetH = room(size);
    layer.sumsN = room(size);
  },
  step(layer, wx, h) {
    const { sums, resetH, sumsN } = layer, { r, z, n } = layer.signals, size = h.length;
    product(layer.weights.weight_hh, h, wx, sums, 2 * size); // of r and z: n has to wait for r
    for (let k = 0; k < size; k++) {
      r[k] = sigmoid(sums[k]);
      z[k] = sigmoid(sums[size + k]);
      resetH[k] = r[k] * h[k];
    }
    product(layer.weightN, resetH, null, sumsN);
    for (let k = 0; k < size; k++) {
      n[k] = Math.tanh(wx[2 * size + k] + sumsN[k]);
      h[k] = z[k] * h[k] + (1 - z[k]) * n[k];
    }
  },
};

const peephole = {
  ...lstm,
  step(layer, wx, h, c) {
    const { i, f, g, o } = layer.signals, sums = layer.sums, n = h.length;
    const [seeI, seeF, seeO] = ["see_i", "see_f", "see_o"].map((name) => layer.weights[name].data);
    product(layer.weights.weight_hh, h, wx, sums);
    for (let k = 0; k < n; k++) {
      i[k] = sigmoid(sums[k] + seeI[k] * c[k]);
      f[k] = sigmoid(sums[n + k] + seeF[k] * c[k]);
      g[k] = Math.tanh(sums[2 * n + k]);
      c[k] = f[k] * c[k] + i[k] * g[k];
      o[k] = sigmoid(sums[3 * n + k] + seeO[k] * c[k]);
      h[k] = o[k] * Math.tanh(c[k]);
    }
  },
};

const cifg = {
  gates: ["f", "g", "o"],
  hasMemory: true,
  step(layer, wx, h, c) {
    const { f, g, o } = layer.signals, sums = layer.sums, n = h.length;
    product(layer.weights.weight_hh, h, wx, sums);
    for (let k = 0; k < n; k++) {
      f[k] = sigmoid(sums[k]);
      g[k] = Math.tanh(sums[n + k]);
      o[k] = sigmoid(sums[2 * n + k]);
      c[k] = f[k] * c[k] + (1 - f[k]) * g[k];
      h[k] = o[k] * Math.tanh(c[k]);
    }
  },
};

const depthGated = {
  gates: ["i", "f", "g", "o", "d"],
  hasMemory: true,
  step(layer, wx, h, c, below) {
    const { i, f, g, d, o } = layer.signals, n = h.length;
    const [seeOwn, seeBelow] = ["see_own", "see_below"].map((name) => layer.weights[name].data);
    product(layer.weights.weight_hh, h, wx, layer.sums); // of i, f, g and o: h has no weights for d
    squash(layer.sums, layer.signals);
    for (let k = 0; k < n; k++) {
      d[k] = sigmoid(wx[4 * n + k] + seeOwn[k] * c[k] + seeBelow[k] * below[k]);
      c[k] = f[k] * c[k] + i[k] * g[k] + d[k] * below[k];
      h[k] = o[k] * Math.tanh(c[k]);
    }
  },
};

const MODULES = 8;

/** Where the units of each module of a clockwork net end. */
const endsOf = (size) => Array.from({ length: MODULES }, (_, module) => Math.ceil(((module + 1) * size) / MODULES));

const clockwork = {
  gates: ["h"],
  prepare(layer, size) {
    layer.ends = endsOf(size);
    const { data } = layer.weights.weight_hh;
    layer.ends.forEach((end, module) => {
      const begin = module ? layer.ends[module - 1] : 0;
      for (let row = begin; row < end; row++) data.fill(0, row * size, row * size + begin); // no slower one reads these
    });
  },
  step(layer, wx, h, c) {
    const clock = c[0];
    const changing = layer.ends.filter((_, module) => clock % 2 ** module === 0).at(-1);
    product(layer.weights.weight_hh, h, wx, layer.sums, changing);
    for (let k = 0; k < changing; k++) h[k] = Math.tanh(layer.sums[k]);
    c.fill((clock + 1) % 2 ** MODULES);
  },
};

const ROUNDS = 4;

const mogrifier = {
  ...lstm,
  readsInput: true,
  prepare(layer, size, inputSize) {
    for (let round = 1; round <= ROUNDS; round++) layer.signals[`q${round}`] = room(round % 2 ? inputSize : size);
    layer.x = room(inputSize);
    layer.gatedH = room(size);
    layer.wx = room(4 * size);
  },
  step(layer, input, h, c) {
    const { weights, x, gatedH } = layer;
    x.set(input);
    gatedH.set(h);
    for (let round = 1; round <= ROUNDS; round++) {
      const [from, to] = round % 2 ? [gatedH, x] : [x, gatedH], q = layer.signals[`q${round}`];
      product(weights[`mogrify.${round - 1}`], from, weights[`mogrify_bias.${round - 1}`].data, q);
      for (let k = 0; k < q.length; k++) {
        q[k] = 2 * sigmoid(q[k]);
        to[k] *= q[k];
      }
    }
    product(weights.weight_ih, x, weights.bias.data, layer.wx);
    product(weights.weight_hh, gatedH, layer.wx, layer.sums);
    squash(layer.sums, layer.signals);
    remember(layer.signals, h, c);
  },
};

/** By the names that --cell knows. */
export const CELLS = {
  lstm, gru, "gru-reset-before": gruResetBefore, rnn, peephole, cifg, "depth-gated": depthGated, clockwork, mogrifier,
};

/** The kind of a layer: the lowest one of depth-gated layers has nothing below it, and is an LSTM. */
function kindOf(cell, number) {
  return cell === "depth-gated" && number === 0 ? lstm : CELLS[cell];
}

/** The names of all signals of a layer, in the order in which they are shown. */
export function signalsOf({ kind, signals }) {
  return [...Object.keys(signals), ...(kind.hasMemory ? ["c"] : []), "h"];
}

/** How many of them a layer has, at most. */
export function signalCount(cell) {
  const { gates, hasMemory } = CELLS[cell];
  return gates.filter((name) => name !== "h").length + (hasMemory ? 2 : 1) + (cell === "mogrifier" ? ROUNDS : 0);
}

/** A layer with room for a step: its kind, its weights and its signals. */
export function layerOf(cell, number, weights, size, inputSize) {
  const kind = kindOf(cell, number);
  const layer = { kind, weights, signals: arrays(kind.gates.filter((name) => name !== "h"), size) };
  layer.sums = room(weights.weight_hh.rows);
  kind.prepare?.(layer, size, inputSize);
  return layer;
}
