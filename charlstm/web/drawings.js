// Drawings over a whole text: one unit along it, and how often the gates of a layer stand open or closed.

import { el, shown, svg } from "./dom.js";
import { isGate, valueOf } from "./signals.js";

const CLOSED = 0.1, OPEN = 0.9;

/** Of a long text, so many stretches are drawn, each from its least to its greatest number. */
const BUCKETS = 1000;

/** One unit over the whole text; a click goes to that character. */
export function strip(trace, { member, layer, unit, signal, at }, go) {
  const of = trace.of(member, layer), low = isGate(signal) ? 0 : -1, width = Math.max(1, trace.length - 1);
  const y = (value) => 38 - (36 * (Math.min(1, Math.max(low, value)) - low)) / (1 - low);
  const points = [], bucket = Math.ceil(trace.length / BUCKETS);
  for (let from = 0; from < trace.length; from += bucket) {
    let least = Infinity, most = -Infinity;
    for (let at = from; at < Math.min(trace.length, from + bucket); at++) {
      const value = valueOf(of, signal, at, unit);
      least = Math.min(least, value);
      most = Math.max(most, value);
    }
    points.push(`${from},${y(most).toFixed(1)}`, `${from},${y(least).toFixed(1)}`);
  }
  return svg("svg", {
    class: "strip", viewBox: `0 0 ${width} 40`, preserveAspectRatio: "none",
    onclick: ({ offsetX, currentTarget }) => go(Math.round((offsetX / currentTarget.clientWidth) * width)),
  },
  svg("line", { class: "axis", x1: 0, x2: width, y1: y(0), y2: y(0) }),
  svg("polyline", { class: "curve", points: points.join(" ") }),
  svg("line", { class: "here", x1: at, x2: at, y1: 0, y2: 40 }));
}

/** Of each unit the share of the characters at which a gate is closed, and at which it is open: [[closed, open], …]. */
function saturation(trace, member, layer, gate) {
  const { size, values } = trace.layers[member][layer][gate];
  const closed = new Uint32Array(size), open = new Uint32Array(size);
  for (let at = 0, k = 0; at < trace.length; at++) {
    for (let unit = 0; unit < size; unit++, k++) {
      if (values[k] < CLOSED) closed[unit]++;
      else if (values[k] > OPEN) open[unit]++;
    }
  }
  return Array.from(closed, (count, unit) => [count / trace.length, open[unit] / trace.length]);
}

/** Layers with colours of their own. */
const COLOURS = 4;

/**
 * A point for each unit: to the right, how often it is closed; upwards, how often it is open (Karpathy et al. 2015).
 * Returns the picture, what its colours mean, and a function that puts the ring around a unit.
 */
export function scatter(trace, member, gate, words, choose) {
  const layers = trace.layers[member], found = [];
  // One path for all points of a layer: a thousand elements would take a tenth of a second.
  const paths = layers.map((signals, layer) => {
    const points = signals[gate] ? saturation(trace, member, layer, gate) : [];
    const own = points.map(([closed, open], unit) => ({ layer, unit, x: 8 + 90 * closed, y: 92 - 90 * open }));
    found.push(...own);
    return svg("path", { class: `points layer${layer % COLOURS}`, d: own.map(({ x, y }) => `M${x.toFixed(1)} ${y.toFixed(1)}h0`).join("") });
  });
  const ring = svg("circle", { class: "ring", r: 2.6 });
  const ticks = [0, 0.5, 1].flatMap((share) => [
    svg("text", { x: 8 + 90 * share, y: 98, "text-anchor": "middle" }, String(share)), svg("text", { x: 6, y: 94 - 90 * share, "text-anchor": "end" }, String(share))]);
  const picture = svg("svg", {
    class: "scatter", viewBox: "-4 -4 112 112", role: "img", "aria-label": words.scatterLabel(gate),
    onclick: ({ clientX, clientY }) => {
      const { left, top, width } = picture.getBoundingClientRect();
      const x = ((clientX - left) / width) * 112 - 4, y = ((clientY - top) / width) * 112 - 4;
      const distance = (point) => (point.x - x) ** 2 + (point.y - y) ** 2;
      const nearest = found.reduce((best, point) => (distance(point) < distance(best) ? point : best));
      choose(nearest.layer, nearest.unit);
    },
  },
    svg("path", { class: "axis", d: "M8 2V92H98M8 2L98 92" }), ...ticks, ...paths, ring,
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
