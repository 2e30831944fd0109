// The units that were found when the page was made: what each follows, and what it is worth.

import { el, shown, visible } from "./dom.js";

const BEFORE = 12, AFTER = 12;

/** Cards of units; `go(unit, at)` shows one at a character of the first text. */
export function unitCards(units, text, words, go) {
  const characters = Array.from(text ?? "");
  if (!units.length) return el("p", {}, words.noUnits);
  return el("ul", { class: "units" }, units.map((unit) => el("li", { class: "card" },
    el("button", { type: "button", class: "unit", onclick: () => go(unit, unit.places[0]) },
      el("strong", {}, words.properties[unit.property] ?? unit.property),
      ` ${words.unitOf(unit.layer + 1, unit.unit)}`),
    el("p", {}, words.follows(shown(unit.strength), unit.is_on)),
    el("p", {}, words.worth(shown(unit.lost_inside, 3), shown(unit.lost_outside, 3))),
    el("div", { class: "places" }, [...unit.places].sort((a, b) => a - b).map((at) =>
      el("button", { type: "button", onclick: () => go(unit, at), "aria-label": words.goTo(at + 1) },
        shownLine(characters.slice(Math.max(0, at - BEFORE), at)), el("mark", {}, visible(characters[at] ?? "")),
        shownLine(characters.slice(at + 1, at + 1 + AFTER))))))));
}

/** A stretch of text in one line. */
const shownLine = (characters) => characters.join("").replaceAll("\n", "↵");
