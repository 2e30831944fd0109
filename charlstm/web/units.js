// The units that were found when the page was made: what each follows, and what it is worth.

import { el, shown, visible } from "./dom.js";

/** Characters that are shown before and after a place. */
const BEFORE = 12, AFTER = 12;

/** The longest stretch that is marked in an excerpt. */
const MARKED = 30;

/**
 * Cards of units.
 *
 * @param most the characters of the first text that a page reads
 * @param nameOf a unit in words
 * @param go called with a unit and a place that was clicked on
 */
export function unitCards(units, text, most, nameOf, words, go) {
  const characters = Array.from(text ?? "").slice(0, most);
  if (!units.length) return el("p", {}, words.noUnits);
  return el("ul", { class: "units" }, units.map((unit) => el("li", { class: "card" },
    el("h3", {}, words.properties[unit.property] ?? unit.property), el("p", { class: "legend" }, nameOf(unit)),
    el("p", {}, words.follows(shown(unit.strength), unit.is_on, unit.signal)),
    el("p", {}, words.worth(shown(unit.lost_inside, 3), shown(unit.lost_outside, 3))),
    el("div", { class: "places" }, unit.places.filter((at) => at < characters.length).sort((a, b) => a - b)
      .map((at) => excerpt(characters, at, at, words, () => go(unit, at)))))));
}

/** A place of a text with what stands around it, as a button that goes there. */
export function excerpt(characters, from, to, words, go) {
  const line = (begin, end) => characters.slice(Math.max(0, begin), end).map((c) => (c === "\n" ? "↵" : c)).join("");
  const last = Math.min(to, from + MARKED);
  const marked = from === to ? visible(characters[from]) : line(from, last + 1);
  return el("button", { type: "button", onclick: go, "aria-label": words.goTo(from + 1) },
    line(from - BEFORE, from), el("mark", {}, marked), line(last + 1, last + 1 + AFTER));
}
