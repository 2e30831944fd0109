// A question to the units: which ones are on in a stretch of the text and off around it, and where else they are on.

/** The least number of characters on each side that a stretch is compared with. */
const AROUND = 20;

/**
 * The units whose numbers in a stretch, from `from` to `to`, differ most from those before and after it, relative to how
 * much they vary over the text. Of a unit it is the memory or, where it has none, the output.
 */
export function unitsOn(trace, from, to, count = 8) {
  const width = Math.max(AROUND, to - from + 1), found = [];
  const begin = Math.max(0, from - width), end = Math.min(trace.length - 1, to + width);
  trace.layers.forEach((layers, member) => layers.forEach((signals, layer) => {
    const signal = signals.c ? "c" : "h", { values, size } = signals[signal];
    const [sum, squares, inside, around] = Array.from({ length: 4 }, () => new Float64Array(size));
    for (let at = 0, k = 0; at < trace.length; at++) {
      const part = at >= from && at <= to ? inside : at >= begin && at <= end ? around : null;
      for (let unit = 0; unit < size; unit++, k++) {
        const value = values[k];
        sum[unit] += value;
        squares[unit] += value * value;
        if (part !== null) part[unit] += value;
      }
    }
    for (let unit = 0; unit < size; unit++) {
      const mean = sum[unit] / trace.length, varies = Math.sqrt(Math.max(0, squares[unit] / trace.length - mean * mean));
      const here = inside[unit] / (to - from + 1), there = around[unit] / Math.max(1, end - begin - (to - from));
      found.push({ member, layer, unit, signal, inside: here, around: there, contrast: Math.abs(here - there) / (varies + 0.1) });
    }
  }));
  return found.sort((a, b) => b.contrast - a.contrast).slice(0, count);
}

/** Where else a unit is as it is in the stretch: for each character, whether it is nearer to that than to around it. */
export function alike(trace, { member, layer, unit, signal, inside, around }) {
  const of = trace.of(member, layer);
  return Array.from({ length: trace.length }, (_, at) => {
    const value = of(signal, at, unit);
    return Math.abs(value - inside) < Math.abs(value - around);
  });
}

/** The stretches over which something holds: their first and last characters. */
export function stretchesOf(holds) {
  const found = [];
  holds.forEach((does, at) => {
    if (does && holds[at - 1]) found.at(-1)[1] = at;
    else if (does) found.push([at, at]);
  });
  return found;
}
