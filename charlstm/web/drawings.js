// Drawings over a whole text: one unit along it, and how often the gates of a layer stand open or closed.

import { el, shown, svg } from "./dom.js";
import { isGate, valueOf } from "./signals.js";

const CLOSED = 0.1, OPEN = 0.9;

/** One unit over the whole text; a click goes to that character. */
export function strip(trace, { member, layer, unit, signal, at }, go) {
  const of = trace.of(member, layer), low = isGate(signal) ? 0 : -1, width = Math.max(1, trace.length - 1);
  const y = (value) => 38 - (36 * (Math.min(1, Math.max(low, value)) - low)) / (1 - low);
  const points = Array.from({ length: trace.length }, (_, k) => `${k},${y(valueOf(of, signal, k, unit)).toFixed(1)}`);
  return svg("svg", {
    class: "strip", viewBox: `0 0 ${width} 40`, preserveAspectRatio: "none",
    onclick: ({ offsetX, currentTarget }) => go(Math.round((offsetX / currentTarget.clientWidth) * width)),
  },
  svg("line", { class: "axis", x1: 0, x2: width, y1: y(0), y2: y(0) }),
  svg("polyline", { class: "curve", points: points.join(" ") }),
  svg("line", { class: "here", x1: at, x2: at, y1: 0, y2: 40 }));
}

/** Of each unit the share of the characters at which a gate is closed, and at which it is open: [[closed, open], …]. */
export function saturation(trace, member, layer, gate) {
  const { size, values } = trace.layers[member][layer][gate];
  const found = Array.from({ length: size }, () => [0, 0]);
  for (let k = 0; k < trace.length * size; k++) {
    if (values[k] < CLOSED) found[k % size][0]++;
    else if (values[k] > OPEN) found[k % size][1]++;
  }
  return found.map(([closed, open]) => [closed / trace.length, open / trace.length]);
}

/** A point for each unit: to the right, how often it is closed; upwards, how often it is open (Karpathy et al. 2015). */
export function scatter(trace, place, gate, words, choose) {
  const points = trace.layers[place.member].flatMap((_, layer) =>
    !trace.layers[place.member][layer][gate] ? [] :
      saturation(trace, place.member, layer, gate).map(([closed, open], unit) => svg("circle", {
        class: `layer${layer % 4}${layer === place.layer && unit === place.unit ? " here" : ""}`,
        cx: 8 + 90 * closed, cy: 92 - 90 * open, r: layer === place.layer && unit === place.unit ? 2.4 : 1,
        onclick: () => choose(layer, unit),
      }, svg("title", {}, words.unitOf(layer + 1, unit)))));
  return svg("svg", { class: "scatter", viewBox: "0 0 106 106", role: "img", "aria-label": words.scatterLabel(gate) },
    svg("path", { class: "axis", d: "M8 2V92H98M8 92L98 2" }), ...points,
    svg("text", { x: 98, y: 102, "text-anchor": "end" }, words.closed), svg("text", { x: 10, y: 6 }, words.open));
}

/** Characters after which half of a unit's memory is left, if its keeping gate goes on as it was over the text. */
export function halfLife(trace, { member, layer, unit }, gate) {
  const of = trace.of(member, layer);
  let logs = 0;
  for (let at = 0; at < trace.length; at++) logs += Math.log(Math.max(1e-12, of(gate, at, unit)));
  return Math.log(0.5) / (logs / trace.length);
}

/** A half-life in words. */
export function halfLifeTold(characters, words) {
  return characters > 10000 ? words.remembersLong : words.remembers(shown(characters, characters < 10 ? 1 : 0));
}

/** What the colours mean. */
export function legend(signal, words) {
  return el("p", { class: "legend" }, isGate(signal) ? words.legendGate : words.legendSigned);
}
