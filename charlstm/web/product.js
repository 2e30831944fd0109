// Products of a matrix and a vector, and the two functions of gates. What a page computes stands on these.

/** σ(x), between 0 and 1. */
export function sigmoid(x) {
  return 1 / (1 + Math.exp(-x));
}

/**
 * y = W x + added, for the first `rows` rows. Nothing is allocated.
 *
 * @param {{data: Float32Array, rows: number, columns: number}} matrix row after row, as in PyTorch
 * @param {Float32Array} x [columns]
 * @param {?Float32Array} added [rows], or null for nothing
 * @param {Float32Array} y [rows]
 */
export function product({ data, rows: all, columns }, x, added, y, rows = all) {
  let row = 0;
  // Four rows at once: each number of x is read once for all of them.
  for (; row + 4 <= rows; row += 4) {
    const first = row * columns, second = first + columns, third = second + columns, fourth = third + columns;
    let a = 0, b = 0, c = 0, d = 0;
    for (let k = 0; k < columns; k++) {
      const value = x[k];
      a += data[first + k] * value;
      b += data[second + k] * value;
      c += data[third + k] * value;
      d += data[fourth + k] * value;
    }
    y[row] = a;
    y[row + 1] = b;
    y[row + 2] = c;
    y[row + 3] = d;
  }
  for (; row < rows; row++) {
    let sum = 0;
    for (let k = 0; k < columns; k++) sum += data[row * columns + k] * x[k];
    y[row] = sum;
  }
  if (added !== null) for (row = 0; row < rows; row++) y[row] += added[row];
}
