// A question to the units: which ones are on in a stretch of the text and off around it, and where else they are on.

import { valueOf } from "./signals.js";

/** The least number of characters on each side that a stretch is compared with. */
const AROUND = 20;

/** A unit's memory between -1 and 1 or, without a memory, its output. */
const signalIn = (trace, member, layer) => (trace.names(member, layer).includes("c") ? "t" : "h");

/**
 * The units whose numbers in a stretch, from `from` to `to`, differ most from those around it, relative to how much they
 * vary over the text.
 */
export function unitsOn(trace, from, to, count = 8) {
  const width = Math.max(AROUND, to - from + 1), found = [];
  const begin = Math.max(0, from - width), end = Math.min(trace.length - 1, to + width);
  trace.layers.forEach((layers, member) => layers.forEach((_, layer) => {
    const of = trace.of(member, layer), signal = signalIn(trace, member, layer), size = trace.size(member, layer, "h");
    for (let unit = 0; unit < size; unit++) {
      let inside = 0, around = 0, squares = 0, sum = 0;
      for (let at = 0; at < trace.length; at++) {
        const value = valueOf(of, signal, at, unit);
        sum += value;
        squares += value * value;
        if (at >= from && at <= to) inside += value;
        else if (at >= begin && at <= end) around += value;
      }
      const mean = sum / trace.length, varies = Math.sqrt(Math.max(0, squares / trace.length - mean * mean));
      inside /= to - from + 1;
      around /= Math.max(1, end - begin - (to - from));
      found.push({ member, layer, unit, signal, inside, around, contrast: Math.abs(inside - around) / (varies + 0.1) });
    }
  }));
  return found.sort((a, b) => b.contrast - a.contrast).slice(0, count);
}

/** Where else a unit is as it is in the stretch: for each character, whether it is nearer to that than to around it. */
export function alike(trace, { member, layer, unit, signal, inside, around }) {
  const of = trace.of(member, layer);
  return Array.from({ length: trace.length }, (_, at) => {
    const value = valueOf(of, signal, at, unit);
    return Math.abs(value - inside) < Math.abs(value - around);
  });
}
