// Look inside: a text, coloured by one number of one unit, and beside it what happens at one character.

import { LONGEST } from "./address.js";
import { diverging, paint, sequential } from "./colours.js";
import { el, labelled, shown, visible } from "./dom.js";
import { halfLife, halfLifeTold, legend, scatter, strip } from "./drawings.js";
import { alike, unitsOn } from "./query.js";
import { isGate, isRound, keeperOf, offered, valueOf } from "./signals.js";
import { equation, guesses } from "./step.js";
import { longest, Trace } from "./traced.js";
import { unitCards } from "./units.js";

export function lookView(root, page) {
  const { words, data } = page, { model } = data, told = page.settings;
  page.reader ??= page.newEngine();
  const first = data.units[0];
  const count = (name, otherwise, end) => Math.min(end - 1, Math.max(0, Math.floor(Number(told[name] ?? otherwise)) || 0));
  const place = {
    member: count("member", first?.member ?? 0, model.ensemble_size),
    layer: count("layer", first?.layer ?? model.num_layers - 1, model.num_layers),
    unit: count("unit", first?.unit ?? 0, model.hidden_size),
    signal: told.signal ?? (first ? { c: "t", h: "h" }[first.signal] : null),
    at: count("at", first && told.text === undefined ? first.places[0] : 0, Infinity),
    from: null, // where a selected stretch begins; it ends at `at`
  };
  let trace = null, spans = [], source = told.text ?? "0";

  const sources = el("select", { id: "source", onchange: () => { place.at = 0; read(sources.value); } },
    data.texts.map(({ name }, number) => el("option", { value: number }, name)),
    page.passed.text ? el("option", { value: "written" }, words.writtenText) : null,
    el("option", { value: "typed" }, words.typedText));
  const typed = el("textarea", { id: "typed", rows: 3, spellcheck: "false" });
  const readTyped = el("button", { type: "button", id: "read", onclick: () => { place.at = 0; read("typed"); } }, words.read);
  const typing = el("div", { class: "typing" }, labelled(words.typeHere, typed), readTyped);
  const pick = (name, amount) => el("select", {
    id: name, onchange: ({ target }) => { place[name] = Number(target.value); settle(); },
  }, Array.from({ length: amount }, (_, k) => el("option", { value: k }, String(k + 1))));
  const picks = {
    member: pick("member", model.ensemble_size), layer: pick("layer", model.num_layers),
    unit: el("input", {
      id: "unit", type: "number", min: 0, max: model.hidden_size - 1,
      onchange: ({ target }) => { place.unit = Math.min(model.hidden_size - 1, Math.max(0, Math.floor(Number(target.value)) || 0)); settle(); },
    }),
  };
  const signals = el("div", { id: "signals", role: "group", "aria-label": words.signal });
  const text = el("div", { class: "text", id: "text", tabindex: 0, role: "group", "aria-label": words.textLabel, onkeydown: keyed });
  const status = el("p", { id: "now", role: "status", "aria-live": "polite" }), notice = el("p", { role: "alert", id: "notice" });
  const panels = Object.fromEntries(["step", "guesses", "strip", "scatter", "query"].map((name) => [name, el("div", { id: name })]));
  const keys = el("dialog", { id: "keys" }, el("h2", {}, words.keys), el("dl", {}, words.keyList.flatMap(([key, what]) => [el("dt", {}, key), el("dd", {}, what)])),
    el("form", { method: "dialog" }, el("button", {}, words.close)));
  const card = (title, ...inside) => el("section", { class: "card" }, el("h2", {}, title), ...inside);

  /** Let the worker read a text. */
  function read(name) {
    source = name;
    sources.value = name;
    typing.hidden = name !== "typed";
    const whole = name === "typed" ? typed.value : name === "written" ? page.passed.text ?? "" : data.texts[Number(name)]?.text ?? "";
    const characters = Array.from(page.vocab.fitted(whole)), most = longest(model, 9);
    const strange = page.vocab.missing(characters.join(""));
    notice.textContent = [
      characters.length > most ? words.tooLong(most) : "", strange.length ? words.neverSaw(strange.map(visible).join(" ")) : "",
    ].join(" ");
    trace = new Trace(Math.min(characters.length, most));
    spans = [];
    text.replaceChildren();
    for (const panel of Object.values(panels)) panel.replaceChildren();
    if (!characters.length) {
      page.reader.stop();
      status.textContent = words.nothingToRead;
      return;
    }
    status.textContent = words.reading;
    page.reader.run({ kind: "trace", text: characters.slice(0, most).join("") }, (piece) => {
      const isFirst = !trace.length;
      trace.add(piece);
      const more = piece.shown.map((character) => el("span", { class: character === "\n" && "line-end" }, character));
      text.append(...more);
      spans.push(...more);
      if (isFirst && piece.count) settle();
      else for (let at = piece.from; at < trace.length; at++) colour(at);
      if (!piece.count || (piece.from <= place.at && place.at < trace.length)) move(place.at);
      if (!piece.count) drawWhole();
    });
  }

  /** Show another unit, layer or signal. */
  function settle() {
    if (!trace?.length) return;
    const names = offered(trace.names(place.member, place.layer));
    if (!names.includes(place.signal)) place.signal = names.includes("f") ? "f" : names[0];
    place.unit = Math.min(place.unit, trace.size(place.member, place.layer, place.signal) - 1);
    for (const [name, pick] of Object.entries(picks)) pick.value = place[name];
    signals.replaceChildren(...names.map((name) => el("button", {
      type: "button", "aria-pressed": String(name === place.signal), title: words.meaning[name] ?? "", "data-signal": name,
      onclick: () => { place.signal = name; settle(); },
    }, name === "t" ? "tanh c" : name)), legend(place.signal, words));
    for (let at = 0; at < trace.length; at++) colour(at);
    drawWhole();
    move(place.at);
  }

  function value(at) {
    return valueOf(trace.of(place.member, place.layer), place.signal, at, place.unit);
  }

  function colour(at) {
    const number = value(at);
    paint(spans[at], isGate(place.signal) ? sequential(isRound(place.signal) ? number / 2 : number) : diverging(number));
  }

  /** What is drawn over the whole text. */
  function drawWhole() {
    if (!trace?.length) return;
    const gates = trace.names(place.member, place.layer).filter((name) => isGate(name) && !isRound(name));
    const gate = gates.includes(place.signal) ? place.signal : gates[0], keeper = keeperOf(gates);
    panels.strip.replaceChildren(strip(trace, place, move),
      el("p", {}, keeper ? halfLifeTold(halfLife(trace, place, keeper), words) : words.noGate));
    panels.scatter.replaceChildren(...(gate ? [el("p", {}, words.scatterLabel(gate)),
      scatter(trace, place, gate, words, (layer, unit) => { Object.assign(place, { layer, unit }); settle(); })] : [words.noGate]));
  }

  /** Go to a character. With `isStretch` what lies between is selected. */
  function move(to, isStretch = false) {
    if (!trace?.length) return;
    if (isStretch) place.from ??= place.at;
    else place.from = null;
    spans[place.at]?.classList.remove("chosen");
    place.at = Math.min(trace.length - 1, Math.max(0, to));
    spans[place.at].classList.add("chosen");
    if (isStretch || text.querySelector(".selected")) {
      const [low, high] = stretch();
      spans.forEach((span, at) => span.classList.toggle("selected", place.from !== null && at >= low && at <= high));
    }
    panels.step.replaceChildren(...equation(trace, place, model.cell, words));
    panels.guesses.replaceChildren(...guesses(trace, place.at, page.vocab, words));
    for (const line of panels.strip.querySelectorAll(".here")) for (const end of ["x1", "x2"]) line.setAttribute(end, place.at);
    status.textContent = words.now(visible(trace.shown[place.at]), place.at + 1, place.layer + 1, place.unit,
      place.signal === "t" ? "tanh c" : place.signal, shown(value(place.at)));
    remember();
  }

  const stretch = () => [Math.min(place.from ?? place.at, place.at), Math.max(place.from ?? place.at, place.at)];

  /** Ask which units are on in the selected stretch. */
  function ask() {
    const [low, high] = stretch();
    const list = unitsOn(trace, low, high).map((found) => el("li", {}, el("button", {
      type: "button", onclick: () => {
        Object.assign(place, { member: found.member, layer: found.layer, unit: found.unit, signal: found.signal });
        settle();
        alike(trace, found).forEach((isAlike, at) => spans[at].classList.toggle("alike", isAlike));
      },
    }, words.onHere(words.unitOf(found.layer + 1, found.unit), shown(found.inside), shown(found.around)))));
    panels.query.replaceChildren(el("p", {}, words.asked(low + 1, high + 1)), el("ol", {}, list));
  }

  /** Selecting with the mouse. */
  function selected() {
    const { anchorNode, focusNode, isCollapsed } = getSelection();
    const [from, to] = [anchorNode, focusNode].map((node) => spans.indexOf(node?.parentElement));
    if (from < 0 || to < 0) return;
    move(isCollapsed ? to : from);
    if (!isCollapsed) move(to, true);
  }

  function keyed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !trace?.length) return;
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    const turn = { ArrowUp: 1, ArrowDown: -1 }[event.key], climb = { PageUp: 1, PageDown: -1 }[event.key];
    const names = offered(trace.names(place.member, place.layer)), size = trace.size(place.member, place.layer, place.signal);
    if (step) move(place.at + step, event.shiftKey);
    else if (turn) { place.unit = (place.unit + turn + size) % size; settle(); }
    else if (climb) { place.layer = (place.layer + climb + model.num_layers) % model.num_layers; settle(); }
    else if (names.includes(event.key)) { place.signal = event.key; settle(); }
    else if (event.key === "?") keys.showModal();
    else if (event.key === "Enter") ask();
    else return;
    event.preventDefault();
    spans[place.at].scrollIntoView({ block: "nearest" });
  }

  function remember() {
    const { member, layer, unit, signal, at } = place;
    const words = source === "0" || source === "typed" ? null : source;
    page.address({ text: source === "typed" ? "typed" : words, typed: source === "typed" && typed.value.length <= LONGEST ? typed.value : null,
      member: member || null, layer, unit, signal, at });
  }

  root.append(
    el("p", { class: "lead" }, words.lookLead),
    el("div", { class: "controls" }, labelled(words.text, sources), model.ensemble_size > 1 ? labelled(words.member, picks.member) : null,
      labelled(words.layer, picks.layer), labelled(words.unit, picks.unit), el("button", { type: "button", id: "help", onclick: () => keys.showModal() }, words.keys)),
    typing, signals, notice,
    el("div", { class: "columns" },
      el("div", { class: "reading" }, status, text,
        card(words.stripTitle, panels.strip)),
      el("div", { class: "beside" },
        card(words.stepTitle, panels.step), card(words.guessTitle, panels.guesses),
        card(words.queryTitle, el("p", {}, words.queryLead), el("button", { type: "button", id: "ask", onclick: ask }, words.ask), panels.query),
        card(words.scatterTitle, panels.scatter))),
    card(words.unitsTitle, el("p", {}, words.unitsLead), unitCards(data.units, data.texts[0]?.text, words, (unit, at) => {
      Object.assign(place, { member: unit.member, layer: unit.layer, unit: unit.unit, signal: unit.signal === "c" ? "t" : unit.signal, at });
      if (source === "0") settle();
      else read("0");
      text.focus();
      spans[at]?.scrollIntoView({ block: "center" });
    })),
    keys,
  );
  text.addEventListener("mouseup", selected);
  text.addEventListener("mouseover", ({ target }) => {
    const at = spans.indexOf(target);
    if (at >= 0) target.title = `${visible(trace.shown[at])}  ${place.signal === "t" ? "tanh c" : place.signal} = ${shown(value(at))}`;
  });
  typed.value = told.typed ?? "";
  page.leave = () => page.reader.stop();
  const isThere = source === "typed" || (source === "written" && page.passed.text) || data.texts[Number(source)];
  read(isThere ? source : data.texts.length ? "0" : "typed");
}
