// A text of which every character is an element: coloured, chosen, selected.

import { paint } from "./colours.js";
import { el } from "./dom.js";

export class ColouredText {
  /** @param {HTMLElement} root where the characters go */
  constructor(root) {
    this.root = root;
    this.spans = [];
    this.chosen = null;
    this.marked = new Map(); // the places of each class
  }

  clear() {
    this.spans = [];
    this.chosen = null;
    this.marked.clear();
    this.root.replaceChildren();
  }

  /** Put characters at the end; `classes` are those of all of them. */
  add(characters, classes = "") {
    const more = characters.map((character) => el("span", { class: character === "\n" ? `${classes} line-end` : classes }, character));
    this.root.append(...more);
    this.spans.push(...more);
  }

  /** Leave out all but so many. */
  shorten(length) {
    for (const span of this.spans.splice(length)) span.remove();
  }

  /** Colour characters from `from` on by a function of their place. */
  colour(colourAt, from = 0) {
    for (let at = from; at < this.spans.length; at++) paint(this.spans[at], colourAt(at));
  }

  /** Show which character is chosen; null for none. */
  choose(at) {
    this.chosen?.classList.remove("chosen");
    this.chosen = at === null ? null : this.spans[at];
    this.chosen?.classList.add("chosen");
  }

  /** Give a class to the characters at some places, and take it from all others. */
  mark(name, places) {
    const before = this.marked.get(name) ?? new Set(), now = new Set(places);
    for (const at of before) if (!now.has(at)) this.spans[at]?.classList.remove(name);
    for (const at of now) if (!before.has(at)) this.spans[at]?.classList.add(name);
    this.marked.set(name, now);
  }

  /** Which character an element is; -1 for none. */
  placeOf(element) {
    return this.spans.indexOf(element);
  }

  /** The first and the last character of what is selected with the mouse or a finger; null without such a stretch. */
  selection() {
    const { anchorNode, focusNode, isCollapsed } = getSelection();
    const places = [anchorNode, focusNode].map((node) => this.placeOf(node?.parentElement));
    return isCollapsed || places.includes(-1) ? null : places;
  }

  /** Show a character in the middle of the text's own window; the page stays where it is. */
  scrollTo(at) {
    const span = this.spans[at];
    if (span) this.root.scrollTop += span.getBoundingClientRect().top - this.root.getBoundingClientRect().top - this.root.clientHeight / 2;
  }

  /** Scroll as little as shows a character. */
  reveal(at) {
    this.spans[at]?.scrollIntoView({ block: "nearest" });
  }
}
