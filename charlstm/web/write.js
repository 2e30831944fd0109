// Write: a beginning, and what the model makes of it, character by character.

import { current } from "./address.js";
import { ColouredText } from "./coloured.js";
import { surprise, unpainted } from "./colours.js";
import { el, labelled, percent, shown, visible } from "./dom.js";
import { END, UNKNOWN } from "./vocab.js";

const DEFAULTS = { prime: "", temperature: 0.8, length: 500, topk: "", topp: "", minp: "", stop: "", seed: "" };

/** The limits of the inputs that are numbers. */
const LIMITS = {
  temperature: { min: 0, max: 10, step: 0.05 }, length: { min: 1, max: 100000, step: 1 }, topk: { min: 1, step: 1 },
  topp: { min: 0.01, max: 1, step: 0.01 }, minp: { min: 0, max: 1, step: 0.01 }, seed: { min: 0, max: 2 ** 48, step: 1 },
};

/** Those that nothing, or 0, turns off. */
const FILTERS = new Set(["topk", "topp", "minp"]);

const anySeed = () => Math.floor(Math.random() * 2 ** 32);

/** Characters that an arrow up or down goes. */
const LINE = 40;

export function writeView(root, page) {
  const writer = new Writer(page);
  root.append(...writer.elements());
  root.addEventListener("change", ({ target }) => writer.changed(target));
  page.leave = () => writer.leave();
  writer.arrive();
}

class Writer {
  constructor(page) {
    this.page = page;
    this.words = page.words;
    page.writer ??= page.newEngine();
    this.characters = []; // {character, note, isNew}
    this.earlier = []; // the texts before, for undo
    this.last = null; // what `begin` was called with
    this.place = -1; // of the character whose others are shown
    this.text = new ColouredText(el("div", {
      class: "text", id: "written", role: "group", "aria-label": this.words.written, tabindex: 0,
      onkeydown: (event) => this.walk(event), onclick: ({ target }) => this.offer(this.text.placeOf(target)),
    }));
    this.offered = el("p", { "aria-live": "polite" });
    this.choices = el("div", { class: "buttons" });
    this.others = el("div", { id: "others", class: "card", hidden: "" }, this.offered, this.choices);
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
    for (const [name, input] of Object.entries(this.inputs)) {
      input.value = page.settings[name] ?? DEFAULTS[name];
      input.addEventListener("keydown", ({ key, ctrlKey, metaKey }) => {
        if (key === "Enter" && (name !== "prime" || ctrlKey || metaKey)) this.begin();
      });
    }
    this.tint = el("input", { type: "checkbox", id: "tint", onchange: () => this.colour(0) });
    this.tint.checked = true;
  }

  makeButtons() {
    const button = (name, act) => el("button", { type: "button", id: name, onclick: act }, this.words[name]);
    this.buttons = {
      write: button("write", () => this.begin()),
      stop: button("stop", () => this.stop()),
      again: button("again", () => this.again()),
      undo: button("undo", () => this.undo()),
      lookAt: button("lookAt", () => this.lookAt()),
    };
    for (const name of ["stop", "again", "undo", "lookAt"]) this.buttons[name].disabled = true;
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
    const { value } = this.inputs[name], { min, max = Infinity } = LIMITS[name], number = Number(value);
    if (value === "" || !Number.isFinite(number) || (number <= 0 && FILTERS.has(name))) return null;
    return Math.min(max, Math.max(min, number));
  }

  whole(name) {
    const number = this.number(name);
    return number === null ? null : Math.floor(number);
  }

  /** Show what counts of a number: nothing, or within its limits. */
  changed({ id }) {
    for (const [name, input] of Object.entries(this.inputs)) {
      if (LIMITS[name]) input.value = (LIMITS[name].step === 1 ? this.whole(name) : this.number(name)) ?? "";
    }
    if (id !== "tint") this.remember(null);
  }

  /** Make the address that of the settings, and of the seed that a text was written with. */
  remember(seed) {
    const given = Object.entries(this.inputs).map(([name, { value }]) => [name, value === String(DEFAULTS[name]) ? null : value]);
    this.page.address({ ...Object.fromEntries(given), ...(seed === null ? {} : { seed }) });
  }

  // Coming and going

  /** Show what was written before or, if the address has a seed, write that text. */
  arrive() {
    const { kept, settings } = this.page, before = kept.write;
    if (before && (!Object.keys(settings).length || before.address === current())) {
      for (const [name, input] of Object.entries(this.inputs)) input.value = before.values[name];
      [this.earlier, this.last] = [before.earlier, before.last];
      this.show(before.characters);
      this.buttons.again.disabled = !this.last;
    } else if (settings.seed !== undefined) {
      this.changed({});
      this.begin();
    }
  }

  /** Keep what was written. */
  leave() {
    this.page.writer.stop();
    const values = Object.fromEntries(Object.entries(this.inputs).map(([name, { value }]) => [name, value]));
    this.page.kept.write = { characters: this.characters, earlier: this.earlier, last: this.last, values, address: current() };
  }

  // Writing

  /** Write after a beginning, whose first `given` characters were given, and not written. */
  begin(prime = this.inputs.prime.value, { given = Infinity, seed = this.whole("seed") ?? anySeed() } = {}) {
    const { vocab, writer } = this.page, { words, inputs } = this;
    const strange = vocab.missing(vocab.fitted(prime));
    this.warning.textContent = strange.length ? words.neverSaw(strange.map(visible).join(" ")) : "";
    if (this.characters.length) this.earlier.push(this.characters);
    this.last = { prime, given };
    this.show([]);
    this.remember(given === Infinity ? seed : null);
    this.status.textContent = words.reading;
    this.buttons.stop.disabled = this.buttons.again.disabled = false;
    this.progress = { seed, given, count: 0, began: null };
    writer.run({
      kind: "write", prime, seed, length: this.whole("length") ?? DEFAULTS.length,
      settings: {
        temperature: this.number("temperature") ?? DEFAULTS.temperature,
        topK: this.whole("topk"), topP: this.number("topp"), minP: this.number("minp"),
      },
      stops: inputs.stop.value ? [inputs.stop.value.replaceAll("\\n", "\n")] : [],
    }, (message) => this.arrived(message), (why) => this.ended(words.failed(why)));
  }

  /** Characters from the worker; `end` says why they are the last ones. */
  arrived({ characters, end }) {
    const { progress, words } = this, news = characters.filter(({ isNew }) => isNew).length;
    if (news && progress.began === null) {
      progress.began = performance.now();
      this.status.textContent = words.writing;
    }
    progress.count += news;
    this.add(characters.map((each, k) => ({ ...each, isNew: each.isNew || this.characters.length + k >= progress.given })));
    if (end === null) return;
    if (end.why === "stop") this.shorten(this.characters.length - end.length);
    this.ended(`${this.told()} ${words.why[end.why]}`);
  }

  /** How much was written, and how to have it again. */
  told() {
    const { count, began, seed } = this.progress, seconds = (performance.now() - (began ?? Infinity)) / 1000;
    return this.words.wrote(count, Math.round(count / Math.max(seconds, 0.001)), seed);
  }

  ended(told = "") {
    this.status.textContent = told;
    this.buttons.stop.disabled = true;
  }

  stop() {
    this.page.writer.stop();
    this.ended(this.told());
  }

  /** The same beginning with other chances. */
  again() {
    this.begin(this.last.prime, { given: this.last.given, seed: anySeed() });
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
    this.buttons.undo.disabled = !this.earlier.length;
    this.buttons.lookAt.disabled = !this.characters.length && !more.length;
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
    this.page.writer.stop();
    this.ended();
    this.show(this.earlier.pop());
  }

  lookAt() {
    this.page.kept.written = this.characters.map(({ character }) => character).join("");
    location.hash = "#look?text=written";
  }

  colour(from) {
    if (this.tint.checked) this.text.colour((at) => surprise(this.characters[at].note?.bits ?? 0), from);
    else this.text.spans.slice(from).forEach(unpainted);
  }

  // What else could have stood there

  walk(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -LINE, ArrowDown: LINE }[event.key];
    if (event.key === "Enter" && this.place >= 0) this.choices.querySelector("button")?.focus();
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
    this.others.hidden = false;
    this.offered.textContent = told;
    this.choices.replaceChildren(...(note?.others ?? []).map(([id, probability]) =>
      this.otherButton(at, this.page.vocab.characters[id], probability)));
    this.others.scrollIntoView({ block: "nearest" });
  }

  otherButton(at, other, probability) {
    return el("button", {
      type: "button", class: "other", disabled: [END, UNKNOWN].includes(other) && "", onclick: () => this.takeOther(at, other),
    }, el("span", {}, visible(other)), el("meter", { min: 0, max: 1, value: probability }), percent(probability));
  }

  /** Put another character at a place, and go on from there. */
  takeOther(at, other) {
    const firstNew = this.characters.findIndex(({ isNew }) => isNew);
    const before = this.characters.slice(0, at).map(({ character }) => character).join("");
    this.begin(before + other, { given: firstNew < 0 ? Infinity : firstNew });
    this.text.root.focus();
  }
}
