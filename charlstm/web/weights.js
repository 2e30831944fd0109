// The weights of a page: from its base64, through deflate, to matrices of float32. As charlstm/web/weights.py wrote them.

const BYTES = { int8: 1, float16: 2, float32: 4 };

/** The bytes behind base64 of deflated data. */
export async function unpacked(base64) {
  const packed = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

/** The weights by name, {data, rows, columns}; `tensors` says which ones follow one another in the bytes. */
export function tensorsIn(bytes, tensors, precision) {
  const found = {};
  let at = 0;
  for (const { name, shape, like } of tensors) {
    if (like) {
      found[name] = found[like];
      continue;
    }
    const columns = shape.at(-1), rows = shape.length > 1 ? shape[0] : 1;
    const kind = shape.length > 1 ? precision : "float32"; // biases are few: they stay as they are
    const data = new Float32Array(rows * columns);
    if (kind === "int8") {
      const scales = new Float32Array(bytes.slice(at, (at += 4 * rows)));
      const whole = new Int8Array(bytes, at, data.length);
      for (let row = 0, k = 0; row < rows; row++) for (let end = k + columns; k < end; k++) data[k] = whole[k] * scales[row];
    } else if (kind === "float16") {
      const halves = new Uint16Array(bytes.slice(at, at + 2 * data.length));
      for (let k = 0; k < data.length; k++) data[k] = half(halves[k]);
    } else {
      data.set(new Float32Array(bytes.slice(at, at + 4 * data.length)));
    }
    at += BYTES[kind] * data.length;
    found[name] = { data, rows, columns };
  }
  return found;
}

/** The number that 16 bits stand for (IEEE 754). */
function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return exponent === 31 ? sign * Infinity : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
