// Look inside: a text, coloured by one number of one unit, and beside it what happens at one character.

import { LONGEST } from "./address.js";
import { Asking } from "./asking.js";
import { ColouredText } from "./coloured.js";
import { diverging, sequential } from "./colours.js";
import { el, labelled, shown, visible } from "./dom.js";
import { legend } from "./drawings.js";
import { Overview } from "./overview.js";
import { placeFrom, signalOf, stretchOf } from "./place.js";
import { isGate, isRound, nameOf, offered, valueOf } from "./signals.js";
import { equation, guesses } from "./step.js";
import { longest, Trace } from "./traced.js";
import { unitCards } from "./units.js";

export function lookView(root, page) {
  const look = new Look(page);
  root.append(...look.elements());
  const keyed = (event) => look.keyed(event);
  document.addEventListener("keydown", keyed);
  page.leave = () => {
    document.removeEventListener("keydown", keyed);
    page.kept.typed = look.typed.value;
    page.reader.stop();
  };
  look.begin();
}

class Look {
  constructor(page) {
    this.page = page;
    this.words = page.words;
    this.data = page.data;
    this.model = page.data.model;
    page.reader ??= page.newEngine();
    this.place = placeFrom(page.settings, this.model, this.data.units[0]);
    this.trace = new Trace(0);
    this.source = page.settings.text ?? "0";
    this.panels = Object.fromEntries(["step", "guesses", "strip", "scatter", "query"].map((id) => [id, el("div", { id })]));
    this.status = el("p", { id: "now", role: "status", "aria-live": "polite" });
    this.progress = el("p", { id: "progress" });
    this.notice = el("p", { role: "alert", id: "notice" });
    this.signals = el("div", { id: "signals", role: "group", "aria-label": this.words.signal });
    this.text = new ColouredText(el("div", {
      class: "text", id: "text", tabindex: 0, role: "group", "aria-label": this.words.textLabel,
      onclick: ({ target }) => this.clicked(target), onmouseover: ({ target }) => this.told(target),
    }));
    this.overview = new Overview(this.panels, this.words, { move: (at) => this.move(at), turn: (changes) => this.turn(changes) });
    this.asking = new Asking(this);
    this.makeControls();
    this.keys = this.keyHelp();
  }

  /** Read the text of the address or, if it isn't there, the first one. */
  begin() {
    const isThere = this.source === "typed" || this.textOf(this.source) !== undefined;
    this.read(isThere ? this.source : this.data.texts.length ? "0" : "typed");
  }

  // What is on the page

  makeControls() {
    const { words, page, model } = this, change = (name) => ({ target }) => this.turn({ [name]: Number(target.value) });
    const pick = (id, amount) => el("select", { id, onchange: change(id) },
      Array.from({ length: amount }, (_, k) => el("option", { value: k }, String(k + 1))));
    this.picks = {
      member: pick("member", model.ensemble_size),
      layer: pick("layer", model.num_layers),
      unit: el("input", { id: "unit", type: "number", min: 0, max: model.hidden_size - 1, onchange: change("unit") }),
    };
    this.sources = el("select", { id: "source", onchange: ({ target }) => this.readAnew(target.value) },
      this.data.texts.map(({ name }, number) => el("option", { value: number }, name)),
      page.kept.written ? el("option", { value: "written" }, words.writtenText) : null,
      el("option", { value: "typed" }, words.typedText));
    this.typed = el("textarea", { id: "typed", rows: 3, spellcheck: "false" });
    this.typed.value = page.settings.typed ?? page.kept.typed ?? "";
    this.typed.addEventListener("keydown", ({ key, ctrlKey, metaKey }) => {
      if (key === "Enter" && (ctrlKey || metaKey)) this.readAnew("typed");
    });
    const read = el("button", { type: "button", id: "read", onclick: () => this.readAnew("typed") }, words.read);
    this.typing = el("div", { class: "typing" }, labelled(words.typeHere, this.typed), read);
  }

  keyHelp() {
    const { words } = this, list = words.keyList.flatMap(([key, what]) => [el("dt", {}, key), el("dd", {}, what)]);
    return el("dialog", { id: "keys" }, el("h2", {}, words.keys), el("dl", {}, list),
      el("form", { method: "dialog" }, el("button", {}, words.close)));
  }

  elements() {
    const { words, picks, panels, model } = this;
    const card = (title, ...inside) => el("section", { class: "card" }, el("h2", {}, title), ...inside);
    const help = el("button", { type: "button", id: "help", onclick: () => this.keys.showModal() }, words.keys);
    const ask = el("button", { type: "button", id: "ask", onclick: () => this.asking.ask() }, words.ask);
    return [
      el("p", { class: "lead" }, words.lookLead),
      el("div", { class: "controls" }, labelled(words.text, this.sources),
        model.ensemble_size > 1 ? labelled(words.member, picks.member) : null,
        labelled(words.layer, picks.layer), labelled(words.unit, picks.unit), help),
      this.typing, this.signals, this.notice,
      el("div", { class: "columns" },
        el("div", {}, this.status, this.progress, this.text.root, card(words.stripTitle, panels.strip),
          card(words.queryTitle, el("p", {}, words.queryLead), ask, panels.query)),
        el("div", {}, card(words.stepTitle, panels.step), card(words.guessTitle, panels.guesses),
          card(words.scatterTitle, panels.scatter))),
      card(words.unitsTitle, el("p", {}, words.unitsLead),
        unitCards(this.data.units, this.data.texts[0]?.text, longest(model), (unit) => this.nameOf(unit), words,
          (unit, at) => this.goTo(unit, at))),
      this.keys,
    ];
  }

  // Reading a text

  textOf(source) {
    if (source === "typed") return this.typed.value;
    return source === "written" ? this.page.kept.written : this.data.texts[Number(source)]?.text;
  }

  /** Read a text from its beginning. */
  readAnew(source) {
    this.place.at = 0;
    this.read(source);
    this.text.root.focus();
  }

  /** Let the worker read a text; `place.at` is shown when it has come. */
  read(source) {
    this.source = this.sources.value = source;
    this.typing.hidden = source !== "typed";
    const { vocab } = this.page, characters = Array.from(vocab.fitted(this.textOf(source))), most = longest(this.model);
    const text = characters.slice(0, most).join(""), strange = vocab.missing(text), { length } = vocab.encode(text).ids;
    this.notice.textContent = [
      characters.length > most ? this.words.tooLong(most) : "",
      strange.length ? this.words.neverSaw(strange.map(visible).join(" ")) : "",
      this.ownText()?.length > LONGEST ? this.words.notInAddress : "",
    ].join(" ").trim();
    this.trace = new Trace(length);
    this.text.clear();
    for (const panel of Object.values(this.panels)) panel.replaceChildren();
    this.progress.textContent = "";
    this.status.textContent = length ? this.words.reading : this.words.nothingToRead;
    const fails = (why) => (this.status.textContent = this.words.failed(why));
    if (length) this.page.reader.run({ kind: "trace", text }, (piece) => this.arrived(piece), fails);
    else this.page.reader.stop();
  }

  /** The text that is shown, if it isn't one of the page's. */
  ownText() {
    return ["typed", "written"].includes(this.source) ? this.textOf(this.source) : null;
  }

  /** A piece of the trace; one without characters is the last. */
  arrived(piece) {
    this.trace.add(piece);
    this.text.add(piece.shown);
    const isLast = !piece.count, hasCome = piece.from <= this.place.at && this.place.at < this.trace.length;
    this.progress.textContent = isLast ? "" : this.words.readSoFar(this.trace.length, this.trace.room);
    if (piece.from === 0) this.settle();
    else this.text.colour((at) => this.colourAt(at), piece.from);
    if (hasCome || (isLast && this.place.at >= this.trace.length)) {
      this.move(this.place.at);
      this.text.scrollTo(this.place.at);
    }
    this.overview.grown(this.trace, this.place, isLast);
  }

  // Another unit, layer or signal

  /** Look at another member, layer, unit or signal. */
  turn(changes) {
    Object.assign(this.place, changes);
    this.text.mark("alike", []);
    this.settle();
  }

  /** How many units have a signal: of the mogrifier's rounds, only those that have all other signals, too. */
  unitsOf(signal) {
    return Math.min(this.model.hidden_size, this.trace.size(this.place.member, this.place.layer, signal));
  }

  /** A unit in words. */
  nameOf({ member, layer, unit }) {
    return this.words.unitOf(layer + 1, unit, this.model.ensemble_size > 1 ? member + 1 : null);
  }

  /** Show what `place` names, as far as there is such a thing. */
  settle() {
    const { place, trace, words } = this;
    if (!trace.length) return;
    const names = offered(trace.names(place.member, place.layer));
    if (!names.includes(place.signal)) place.signal = names.includes("f") ? "f" : names[0];
    place.unit = Math.min(this.unitsOf(place.signal) - 1, Math.max(0, Math.floor(place.unit) || 0));
    for (const [name, pick] of Object.entries(this.picks)) pick.value = place[name];
    this.signals.replaceChildren(...names.map((name) => el("button", {
      type: "button", "aria-pressed": String(name === place.signal), title: words.meaning[name] ?? "",
      onclick: () => this.turn({ signal: name }),
    }, nameOf(name))), legend(place.signal, words));
    this.text.colour((at) => this.colourAt(at));
    this.overview.drawSoon(trace, place);
    if (place.at < trace.length) this.move(place.at); // else it has yet to be read
  }

  valueAt(at) {
    const { member, layer, signal, unit } = this.place;
    return valueOf(this.trace.of(member, layer), signal, at, unit);
  }

  colourAt(at) {
    const value = this.valueAt(at), { signal } = this.place;
    return isGate(signal) ? sequential(isRound(signal) ? value / 2 : value) : diverging(value);
  }

  // Another character

  /** Go to a character. With `isStretch`, what lies between is selected. */
  move(to, isStretch = false) {
    const { trace, place, words, panels } = this;
    if (!trace.length) return;
    place.from = isStretch ? place.from ?? place.at : null;
    place.at = Math.min(trace.length - 1, Math.max(0, to));
    this.text.choose(place.at);
    const [low, high] = stretchOf(place);
    this.text.mark("selected", isStretch ? Array.from({ length: high - low + 1 }, (_, k) => low + k) : []);
    panels.step.replaceChildren(...equation(trace, place, this.model.cell, words));
    panels.guesses.replaceChildren(...guesses(trace, place.at, this.page.vocab, words));
    this.overview.goTo(place.at);
    this.status.textContent = words.now(visible(trace.shown[place.at]), place.at + 1, this.nameOf(place),
      nameOf(place.signal), shown(this.valueAt(place.at)));
    this.remember();
  }

  /** A click chooses a character; with the mouse or a finger, one also selects a stretch. */
  clicked(element) {
    const at = this.text.placeOf(element);
    if (!this.takeSelection() && at >= 0) this.move(at);
  }

  /** Take over what is selected, if anything is. */
  takeSelection() {
    const places = this.text.selection();
    if (!places) return false;
    this.move(places[0]);
    this.move(places[1], true);
    return true;
  }

  /** The number of the character under the mouse. */
  told(element) {
    const at = this.text.placeOf(element);
    if (at >= 0) element.title = `${visible(this.trace.shown[at])}  ${nameOf(this.place.signal)} = ${shown(this.valueAt(at))}`;
  }

  /** A unit that was found, at a character of the first text. */
  goTo(unit, at) {
    Object.assign(this.place, { member: unit.member, layer: unit.layer, unit: unit.unit, signal: signalOf(unit), at });
    if (this.source === "0") this.settle();
    else this.read("0");
    this.text.root.focus();
    this.text.scrollTo(at);
  }

  keyed(event) {
    const { trace, place, model } = this, isControl = event.target.closest?.("input, textarea, select, button, summary, dialog, a");
    if (isControl || event.ctrlKey || event.metaKey || event.altKey || !trace.length) return;
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    const next = { ArrowUp: 1, ArrowDown: -1 }[event.key], above = { PageUp: 1, PageDown: -1 }[event.key];
    const around = (number, size) => (number + size) % size;
    if (step) this.move(place.at + step, event.shiftKey);
    else if (next) this.turn({ unit: around(place.unit + next, this.unitsOf(place.signal)) });
    else if (above) this.turn({ layer: around(place.layer + above, model.num_layers) });
    else if (offered(trace.names(place.member, place.layer)).includes(event.key)) this.turn({ signal: event.key });
    else if (event.key === "?") this.keys.showModal();
    else if (event.key === "Enter") this.asking.ask();
    else return;
    event.preventDefault();
    this.text.reveal(place.at);
  }

  /** Make the address that of what is shown. */
  remember() {
    const { member, layer, unit, signal, at } = this.place, own = this.ownText();
    const typed = own !== null && own.length <= LONGEST ? own : null;
    const text = typed !== null ? "typed" : this.source === "0" ? null : this.source;
    this.page.address({ text, typed, member: member || null, layer, unit, signal, at });
  }
}
