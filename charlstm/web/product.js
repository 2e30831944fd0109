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
export function product(matrix, x, added, y, rows = matrix.rows) {
  const { data, columns } = matrix;
  const whole = columns - (columns % 4);
  for (let row = 0, at = 0; row < rows; row++) {
    // Four sums at once: the processor needn't wait for one addition to begin the next.
    let a = 0, b = 0, c = 0, d = 0, k = 0;
    for (; k < whole; k += 4, at += 4) {
      a += data[at] * x[k];
      b += data[at + 1] * x[k + 1];
      c += data[at + 2] * x[k + 2];
      d += data[at + 3] * x[k + 3];
    }
    for (; k < columns; k++, at++) a += data[at] * x[k];
    y[row] = a + b + (c + d) + (added === null ? 0 : added[row]);
  }
}
