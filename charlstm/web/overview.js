// What is drawn over a whole text: one unit along it, and how often the gates of all units stand open or closed.

import { el } from "./dom.js";
import { halfLife, halfLifeTold, scatter, strip } from "./drawings.js";
import { isGate, isRound, keeperOf } from "./signals.js";

/** Milliseconds after which it is drawn anew, while the text is read. */
const REDRAWN = 1000;

export class Overview {
  /**
   * @param panels the elements `strip` and `scatter`
   * @param actions `move`, called with a character, and `turn`, called with a layer and a unit, that were clicked on
   */
  constructor(panels, words, actions) {
    Object.assign(this, { panels, words, actions, drawnAt: -Infinity, points: null });
  }

  /** More of the text was read. */
  grown(trace, place, isLast) {
    if (isLast || performance.now() - this.drawnAt > REDRAWN) this.draw(trace, place);
  }

  /** Draw after the next picture: colours and numbers answer a key first. */
  drawSoon(trace, place) {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => setTimeout(() => this.draw(trace, place)));
  }

  draw(trace, place) {
    const { panels, words, actions } = this;
    if (!trace.length) return;
    this.drawnAt = performance.now();
    const gates = trace.names(place.member, place.layer).filter((name) => isGate(name) && !isRound(name));
    const keeper = keeperOf(gates), gate = gates.includes(place.signal) ? place.signal : keeper ?? gates[0];
    panels.strip.replaceChildren(strip(trace, place, actions.move),
      el("p", { class: "legend" }, words.stripRange(isGate(place.signal) ? 0 : -1)),
      el("p", {}, keeper ? halfLifeTold(halfLife(trace, place, keeper), words) : words.noGate));
    if (gate) this.drawPoints(trace, place, gate);
    else panels.scatter.replaceChildren(words.noGate);
  }

  /** The points are many: they are drawn anew only where they changed. */
  drawPoints(trace, { member, layer, unit }, gate) {
    const { points, panels, words, actions } = this;
    const isSame = points?.trace === trace && points.length === trace.length && points.member === member && points.gate === gate;
    if (!isSame) {
      const drawn = scatter(trace, member, gate, words, (layer, unit) => actions.turn({ layer, unit }));
      this.points = { trace, length: trace.length, member, gate, ring: drawn.ring };
      panels.scatter.replaceChildren(el("p", {}, words.scatterLabel(gate)), drawn.picture, drawn.legend);
    }
    this.points.ring(layer, unit);
  }

  /** Show which character is looked at. */
  goTo(at) {
    const here = this.panels.strip.querySelector(".here");
    for (const end of ["x1", "x2"]) here?.setAttribute(end, at);
  }
}
