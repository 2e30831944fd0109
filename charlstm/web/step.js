// The step of one unit at one character: the textbook's equation with its numbers, as bars; and what comes next.

import { el, percent, shown, svg, visible } from "./dom.js";
import { equationsOf, numberOf, written } from "./equations.js";
import { isGate } from "./signals.js";

/** A bar from 0 to 1, or from -1 to 1 with 0 in its middle. */
function bar(value, isShare) {
  const from = isShare ? 0 : 50, to = isShare ? 100 * value : 50 + 50 * Math.max(-1, Math.min(1, value));
  const colour = isShare ? "share" : value < 0 ? "negative" : "positive";
  return svg("svg", { class: "bar", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { class: "track", x: 0, y: 0, width: 100, height: 8 }),
    svg("rect", { class: colour, x: Math.min(from, to), y: 0, width: Math.abs(to - from), height: 8 }),
    isShare ? null : svg("rect", { class: "middle", x: 49.7, y: 0, width: 0.6, height: 8 }),
    // A number beyond the bar's range goes on as an arrow.
    !isShare && Math.abs(value) > 1 ? svg("path", { class: "beyond", d: value > 0 ? "M94 0L100 4L94 8" : "M6 0L0 4L6 8" }) : null);
}

/** One number of the equation, with its name, its bar and what it means. */
function term(name, value, words) {
  const isShare = isGate(name.replace("1-", ""));
  return el("div", { class: "term", "data-name": name, title: words.meaning[name] ?? "" },
    el("span", { class: "name" }, written(name)), el("span", { class: "number" }, shown(value)), bar(value, isShare),
    el("span", { class: "meaning" }, words.meaning[name] ?? ""));
}

/** The equations of a unit at a character. */
export function equation(trace, place, cell, words) {
  const number = (name) => numberOf(name, trace, place);
  const lines = equationsOf(cell, place.layer).map(({ products, result }) => {
    const sum = products.flatMap((product, k) => [
      k ? el("span", { class: "sign" }, "+") : null,
      el("div", { class: "product" }, product.flatMap((name, j) => [
        j ? el("span", { class: "sign" }, "⊙") : null, term(name, number(name), words)])),
    ]);
    return el("div", { class: "line" }, ...sum, el("span", { class: "sign" }, "="), term(result, number(result), words));
  });
  if (lines.length) return [el("p", { class: "formula" }, words.formula[cell] ?? words.formula.lstm), ...lines];
  const before = trace.of(place.member, place.layer)("h", place.at - 1, place.unit);
  return [el("p", { class: "formula" }, words.formula[cell]),
    el("div", { class: "line" }, term("h-", before, words), el("span", { class: "sign" }, "→"), term("h", number("h"), words))];
}

/** The best guesses for the next character, and which one came. */
export function guesses(trace, at, vocab, words) {
  const next = trace.shown[at + 1];
  const list = trace.guesses[at].map(([id, probability]) => {
    const character = vocab.characters[id];
    return el("li", { class: character === next ? "came" : null },
      el("span", { class: "name" }, visible(character)), bar(probability, true), el("span", { class: "number" }, percent(probability)));
  });
  const came = next === undefined ? words.theEnd : words.cameNext(visible(next), shown(trace.bits[at + 1]));
  return [el("ol", { class: "guesses" }, list), el("p", {}, came)];
}
