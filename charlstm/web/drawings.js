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

/** Layers with colours of their own. */
const COLOURS = 4;

/**
 * A point for each unit: to the right, how often it is closed; upwards, how often it is open (Karpathy et al. 2015).
 * Returns the picture, what its colours mean, and a function that puts the ring around a unit.
 */
export function scatter(trace, member, gate, words, choose) {
  const layers = trace.layers[member], found = [];
  layers.forEach((signals, layer) => signals[gate] && saturation(trace, member, layer, gate).forEach(([closed, open], unit) =>
    found.push({ layer, unit, x: 8 + 90 * closed, y: 92 - 90 * open })));
  const points = found.map(({ layer, unit, x, y }) => svg("circle", {
    class: `layer${layer % COLOURS}`, cx: x, cy: y, r: 1, onclick: () => choose(layer, unit),
  }, svg("title", {}, words.unitOf(layer + 1, unit))));
  const ring = svg("circle", { class: "ring", r: 2.6 });
  const ticks = [0, 0.5, 1].flatMap((share) => [
    svg("text", { x: 8 + 90 * share, y: 98, "text-anchor": "middle" }, String(share)), svg("text", { x: 6, y: 94 - 90 * share, "text-anchor": "end" }, String(share))]);
  const picture = svg("svg", { class: "scatter", viewBox: "-4 -4 112 112", role: "img", "aria-label": words.scatterLabel(gate) },
    svg("path", { class: "axis", d: "M8 2V92H98M8 2L98 92" }), ...ticks, ...points, ring,
    svg("text", { x: 98, y: 105, "text-anchor": "end" }, words.closed), svg("text", { x: 10, y: 2 }, words.open));
  const legend = el("p", { class: "legend" }, layers.length > 1 ? layers.map((_, layer) =>
    el("span", { class: `key layer${layer % COLOURS}` }, `${words.layer} ${layer + 1}`)) : []);
  return { picture, legend, ring: (layer, unit) => {
    const at = found.find((each) => each.layer === layer && each.unit === unit);
    ring.setAttribute("visibility", at ? "visible" : "hidden");
    if (at) for (const [name, value] of [["cx", at.x], ["cy", at.y]]) ring.setAttribute(name, value);
  } };
}

/** Characters after which half of a unit's memory is left, if its keeping gate goes on as it was over the text. */
export function halfLife(trace, { member, layer, unit }, gate) {
  const of = trace.of(member, layer);
  let logs = 0;
  for (let at = 0; at < trace.length; at++) logs += Math.log(Math.max(1e-12, of(gate, at, unit)));
  return logs === 0 ? Infinity : Math.log(0.5) / (logs / trace.length); // 1 in float32 is nearly 1
}

/** A half-life in words. */
export function halfLifeTold(characters, words) {
  return characters > 10000 ? words.remembersLong : words.remembers(shown(characters, characters < 10 ? 1 : 0));
}

/** What the colours mean. */
export function legend(signal, words) {
  return el("p", { class: "legend" }, isGate(signal) ? words.legendGate : words.legendSigned);
}
