// Write: a beginning, and what the model makes of it, character by character.

import { ColouredText } from "./coloured.js";
import { surprise, unpainted } from "./colours.js";
import { el, labelled, shown, visible } from "./dom.js";
import { END, UNKNOWN } from "./vocab.js";

const DEFAULTS = { prime: "", temperature: 0.8, length: 500, topk: "", topp: "", minp: "", stop: "", seed: "" };

/** The limits of the inputs that are numbers. */
const LIMITS = {
  temperature: { min: 0, max: 10, step: 0.05 }, length: { min: 1, max: 100000, step: 1 }, topk: { min: 1, step: 1 },
  topp: { min: 0.01, max: 1, step: 0.01 }, minp: { min: 0, max: 1, step: 0.01 }, seed: { min: 0, step: 1 },
};

/** Characters that an arrow up or down goes. */
const LINE = 40;

export function writeView(root, page) {
  const writer = new Writer(page);
  root.append(...writer.elements());
  root.addEventListener("change", () => writer.remember());
  page.leave = () => page.writer.stop();
}

class Writer {
  constructor(page) {
    this.page = page;
    this.words = page.words;
    page.writer ??= page.newEngine();
    this.characters = []; // {character, note, isNew}
    this.earlier = []; // the texts before, for undo
    this.place = -1; // of the character whose others are shown
    this.text = new ColouredText(el("div", {
      class: "text", id: "written", role: "group", "aria-label": this.words.written, tabindex: 0,
      onkeydown: (event) => this.walk(event), onclick: ({ target }) => this.offer(this.text.placeOf(target)),
    }));
    this.others = el("div", { id: "others", class: "card", hidden: "" });
    this.status = el("p", { id: "status", role: "status" });
    this.warning = el("p", { id: "warning", role: "alert" });
    this.makeInputs();
    this.makeButtons();
  }

  // What is on the page

  makeInputs() {
    const { words, page } = this;
    this.inputs = Object.fromEntries(Object.entries(LIMITS).map(([name, limits]) => [name, el("input", { type: "number", ...limits })]));
    this.inputs.seed.placeholder = words.byChance;
    this.inputs.stop = el("input", { type: "text", placeholder: "\\n\\n" });
    this.inputs.prime = el("textarea", { rows: 3, id: "prime", spellcheck: "false" });
    this.inputs.prime.addEventListener("keydown", ({ key, ctrlKey, metaKey }) => {
      if (key === "Enter" && (ctrlKey || metaKey)) this.begin();
    });
    for (const [name, input] of Object.entries(this.inputs)) input.value = page.settings[name] ?? DEFAULTS[name];
    this.tint = el("input", { type: "checkbox", id: "tint", onchange: () => this.colour(0) });
    this.tint.checked = true;
  }

  makeButtons() {
    const button = (name, act) => el("button", { type: "button", id: name, onclick: act }, this.words[name]);
    this.buttons = {
      write: button("write", () => this.begin()),
      stop: button("stop", () => this.stop()),
      again: button("again", () => this.begin()),
      undo: button("undo", () => this.undo()),
      lookAt: button("lookAt", () => this.lookAt()),
    };
    this.buttons.stop.disabled = true;
  }

  elements() {
    const { words, inputs } = this;
    const settings = Object.keys(words.setting).map((name) => labelled(words.setting[name], inputs[name]));
    return [
      el("p", { class: "lead" }, words.writeLead),
      labelled(words.prime, inputs.prime),
      el("div", { class: "buttons" }, Object.values(this.buttons), labelled(words.tint, this.tint)),
      el("details", { open: "" }, el("summary", {}, words.settings), el("div", { class: "settings" }, settings)),
      this.warning, this.status, this.text.root, this.others,
    ];
  }

  /** A number within the limits of its input; null where none is given. */
  number(name) {
    const { value } = this.inputs[name], { min, max = Infinity } = LIMITS[name];
    return value === "" || !Number.isFinite(Number(value)) ? null : Math.min(max, Math.max(min, Number(value)));
  }

  whole(name) {
    const number = this.number(name);
    return number === null ? null : Math.floor(number);
  }

  /** Make the address that of the settings. */
  remember() {
    const given = Object.entries(this.inputs).map(([name, { value }]) => [name, value === String(DEFAULTS[name]) ? null : value]);
    this.page.address(Object.fromEntries(given));
  }

  // Writing

  /** Write after a beginning, whose first `given` characters were given, and not written. */
  begin(prime = this.inputs.prime.value, given = Infinity) {
    const { vocab, writer } = this.page, { words, inputs } = this;
    const strange = vocab.missing(vocab.fitted(prime)), seed = this.whole("seed") ?? Math.floor(Math.random() * 2 ** 32);
    this.warning.textContent = strange.length ? words.neverSaw(strange.map(visible).join(" ")) : "";
    if (this.characters.length) this.earlier.push(this.characters);
    this.show([]);
    this.remember();
    this.status.textContent = words.writing;
    this.buttons.stop.disabled = false;
    const began = performance.now();
    writer.run({
      kind: "write", prime, seed, length: this.whole("length") ?? DEFAULTS.length,
      settings: {
        temperature: this.number("temperature") ?? DEFAULTS.temperature,
        topK: this.whole("topk"), topP: this.number("topp"), minP: this.number("minp"),
      },
      stops: inputs.stop.value ? [inputs.stop.value.replaceAll("\\n", "\n")] : [],
    }, ({ characters, end }) => {
      this.add(characters.map((each, k) => ({ ...each, isNew: each.isNew || this.characters.length + k >= given })));
      if (end === null) return;
      if (end.why === "stop") this.shorten(this.characters.length - end.length);
      const written = this.characters.filter(({ isNew }) => isNew).length;
      this.ended(words.wrote(written, Math.round((1000 * written) / (performance.now() - began)), seed));
    });
  }

  ended(told = "") {
    this.status.textContent = told;
    this.buttons.stop.disabled = true;
  }

  stop() {
    this.page.writer.stop();
    this.ended();
  }

  /** Show some characters instead of those that are there. */
  show(characters) {
    this.close();
    this.characters = [];
    this.text.clear();
    this.add(characters);
  }

  add(more) {
    const { root } = this.text, isAtEnd = root.scrollTop + root.clientHeight >= root.scrollHeight - 40; // else somebody reads above
    const from = this.characters.length;
    for (const { character, isNew } of more) this.text.add([character], isNew ? "" : "given");
    this.characters.push(...more);
    this.colour(from);
    if (isAtEnd) root.scrollTop = root.scrollHeight;
  }

  shorten(length) {
    this.characters.length = length;
    this.text.shorten(length);
  }

  undo() {
    if (!this.earlier.length) return;
    this.stop();
    this.show(this.earlier.pop());
  }

  lookAt() {
    this.page.passed.text = this.characters.map(({ character }) => character).join("");
    location.hash = "#look?text=written";
  }

  colour(from) {
    if (this.tint.checked) this.text.colour((at) => surprise(this.characters[at].note?.bits ?? 0), from);
    else this.text.spans.slice(from).forEach(unpainted);
  }

  // What else could have stood there

  walk(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -LINE, ArrowDown: LINE }[event.key];
    if (event.key === "Enter" && this.place >= 0) this.others.querySelector("button")?.focus();
    else if (event.key === "Escape") this.close();
    else if (step) this.offer(Math.min(this.characters.length - 1, Math.max(0, this.place + step)));
    else return;
    event.preventDefault();
  }

  close() {
    this.others.hidden = true;
    this.text.choose(null);
    this.place = -1;
  }

  /** Show what else could have stood at a place. */
  offer(at) {
    if (!this.characters[at]) return;
    this.place = at;
    this.text.choose(at);
    const { words } = this, { character, note } = this.characters[at];
    const told = note ? words.wasBits(visible(character), shown(note.bits)) : words.wasFirst(visible(character));
    this.others.replaceChildren(el("p", { "aria-live": "polite" }, told),
      ...(note?.others ?? []).map(([id, probability]) => this.otherButton(at, this.page.vocab.characters[id], probability)));
    this.others.hidden = false;
  }

  otherButton(at, other, probability) {
    return el("button", {
      type: "button", class: "other", disabled: [END, UNKNOWN].includes(other) && "", onclick: () => this.takeOther(at, other),
    }, el("span", {}, visible(other)), el("meter", { min: 0, max: 1, value: probability }), `${shown(100 * probability, 1)} %`);
  }

  /** Put another character at a place, and go on from there. */
  takeOther(at, other) {
    const firstNew = this.characters.findIndex(({ isNew }) => isNew);
    const before = this.characters.slice(0, at).map(({ character }) => character).join("");
    this.begin(before + other, firstNew < 0 ? Infinity : firstNew);
  }
}
