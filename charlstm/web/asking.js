// The panel that asks which units are on in a selected stretch, and shows where else they are on.

import { el, shown } from "./dom.js";
import { signalOf, stretchOf } from "./place.js";
import { alike, stretchesOf, unitsOn } from "./query.js";
import { excerpt } from "./units.js";

/** Stretches that are named, where a unit is as it is in the one that was asked for. */
const ELSEWHERE = 8;

export class Asking {
  /** @param look the view that it is a part of */
  constructor(look) {
    this.look = look;
  }

  ask() {
    const { look } = this, { trace, words } = look, { query } = look.panels;
    if (!trace.length) return;
    if (look.place.from === null && !look.takeSelection()) {
      query.replaceChildren(el("p", { role: "alert" }, words.selectFirst));
      return;
    }
    const [low, high] = stretchOf(look.place), elsewhere = el("div", { class: "places" });
    const list = unitsOn(trace, low, high).map((found) => el("li", {}, el("button", {
      type: "button", onclick: () => this.showAlike(found, [low, high], elsewhere),
    }, words.onHere(look.nameOf(found), shown(found.inside), shown(found.around)))));
    query.replaceChildren(el("p", {}, words.asked(low + 1, high + 1)), el("ol", {}, list), elsewhere);
  }

  /** Where else a unit is as it is in a stretch: underlined, and the longest places as buttons. */
  showAlike(found, [low, high], root) {
    const { look } = this, { trace, words } = look, isAlike = alike(trace, found);
    look.turn({ member: found.member, layer: found.layer, unit: found.unit, signal: signalOf(found) });
    look.text.mark("alike", isAlike.flatMap((does, at) => (does ? [at] : [])));
    const others = stretchesOf(isAlike).filter(([from, to]) => to < low || from > high)
      .sort((a, b) => b[1] - b[0] - (a[1] - a[0])).slice(0, ELSEWHERE).sort((a, b) => a[0] - b[0]);
    root.replaceChildren(el("p", {}, others.length ? words.elsewhere : words.nowhere), ...others.map(([from, to]) =>
      excerpt(trace.shown, from, to, words, () => { look.move(from); look.text.scrollTo(from); })));
  }
}
