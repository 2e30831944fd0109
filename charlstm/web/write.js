// Write: a beginning, and what the model makes of it, character by character.

import { paint, surprise, unpainted } from "./colours.js";
import { el, labelled, shown, visible } from "./dom.js";
import { END, UNKNOWN } from "./vocab.js";

const DEFAULTS = { prime: "", temperature: 0.8, topk: "", topp: "", minp: "", length: 500, stop: "", seed: "" };

export function writeView(root, page) {
  const { words, vocab } = page, told = { ...DEFAULTS, ...page.settings };
  page.writer ??= page.newEngine();
  let characters = []; // {character, note, isNew}
  let earlier = []; // for undo: the texts before
  let seed = 0;

  const inputs = {
    prime: el("textarea", { rows: 3, id: "prime", spellcheck: "false" }),
    temperature: el("input", { type: "number", min: 0, max: 10, step: 0.05 }),
    topk: el("input", { type: "number", min: 1, step: 1 }),
    topp: el("input", { type: "number", min: 0.01, max: 1, step: 0.01 }),
    minp: el("input", { type: "number", min: 0, max: 1, step: 0.01 }),
    length: el("input", { type: "number", min: 1, max: 100000, step: 1 }),
    stop: el("input", { type: "text", placeholder: "\\n\\n" }),
    seed: el("input", { type: "number", min: 0, step: 1, placeholder: words.byChance }),
  };
  for (const [name, input] of Object.entries(inputs)) input.value = told[name];
  const tint = el("input", { type: "checkbox", id: "tint", onchange: recolour });
  tint.checked = true;
  const button = (name, act) => el("button", { type: "button", id: name, onclick: act }, words[name]);
  const buttons = {
    write: button("write", () => begin(inputs.prime.value, newSeed())),
    stop: button("stop", () => { page.writer.stop(); ended(); }),
    again: button("again", () => begin(inputs.prime.value, newSeed())),
    undo: button("undo", undo),
    lookAt: button("lookAt", () => {
      page.passed.text = characters.map(({ character }) => character).join("");
      location.hash = "#look?text=written";
    }),
  };
  const text = el("div", {
    class: "text", id: "written", role: "group", "aria-label": words.written, tabindex: 0, onkeydown: walk, onclick: choose,
  });
  const others = el("div", { id: "others", class: "card", hidden: "" });
  const status = el("p", { id: "status", role: "status" }), warning = el("p", { id: "warning", role: "alert" });
  let place = -1; // of the character whose others are shown

  function newSeed() {
    return inputs.seed.value === "" ? Math.floor(Math.random() * 2 ** 32) : Number(inputs.seed.value);
  }

  /** Numbers within the limits of their inputs, or null where nothing is given. */
  function number(name) {
    const { value, min, max } = inputs[name];
    if (value === "" || !Number.isFinite(Number(value))) return null;
    return Math.min(max === "" ? Infinity : Number(max), Math.max(min === "" ? -Infinity : Number(min), Number(value)));
  }

  /** Write after a beginning, whose first `given` characters were given, and not written. */
  function begin(prime, ownSeed, given = Infinity) {
    const strange = vocab.missing(vocab.fitted(prime));
    warning.textContent = strange.length ? words.neverSaw(strange.map(visible).join(" ")) : "";
    if (characters.length) earlier.push(characters);
    [characters, seed] = [[], ownSeed];
    others.hidden = true;
    text.replaceChildren();
    remember();
    const settings = {
      temperature: number("temperature") ?? DEFAULTS.temperature,
      topK: number("topk") && Math.floor(number("topk")), topP: number("topp"), minP: number("minp"),
    };
    const stops = inputs.stop.value ? [inputs.stop.value.replaceAll("\\n", "\n")] : [];
    const length = Math.floor(number("length") ?? DEFAULTS.length);
    status.textContent = words.writing;
    buttons.stop.disabled = false;
    const began = performance.now();
    page.writer.run({ kind: "write", prime, length, settings, seed, stops }, (message) => {
      add(message.characters.map((each, k) => ({ ...each, isNew: each.isNew || characters.length + k >= given })));
      if (message.end === null) return;
      if (message.end.why === "stop") shorten(characters.length - message.end.length);
      const written = characters.filter(({ isNew }) => isNew).length;
      ended(words.wrote(written, Math.round(written / ((performance.now() - began) / 1000)), seed));
    });
  }

  function ended(told = "") {
    status.textContent = told;
    buttons.stop.disabled = true;
  }

  function add(more) {
    const isAtEnd = text.scrollTop + text.clientHeight >= text.scrollHeight - 40; // else somebody reads further up
    for (const each of more) {
      const classes = [each.isNew ? "" : "given", each.character === "\n" ? "line-end" : ""];
      const span = el("span", { class: classes.join(" ") }, each.character);
      each.span = span;
      characters.push(each);
      text.append(span);
      colour(each);
    }
    if (isAtEnd) text.scrollTop = text.scrollHeight;
  }

  function shorten(length) {
    for (const { span } of characters.splice(length)) span.remove();
  }

  function undo() {
    if (!earlier.length) return;
    page.writer.stop();
    ended();
    characters = [];
    text.replaceChildren();
    others.hidden = true;
    add(earlier.pop());
  }

  function colour({ span, note }) {
    if (tint.checked && note) paint(span, surprise(note.bits));
    else unpainted(span);
  }

  function recolour() {
    characters.forEach(colour);
  }

  function choose({ target }) {
    const at = Array.prototype.indexOf.call(text.children, target);
    if (at >= 0) offer(at);
  }

  function walk(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -40, ArrowDown: 40 }[event.key];
    if (event.key === "Enter" && place >= 0) others.querySelector("button")?.focus();
    else if (event.key === "Escape") close();
    else if (step && characters.length) offer(Math.min(characters.length - 1, Math.max(0, place + step)));
    else return;
    event.preventDefault();
  }

  function close() {
    others.hidden = true;
    text.children[place]?.classList.remove("chosen");
    place = -1;
    text.focus();
  }

  /** Show what else could have stood at a place. */
  function offer(at) {
    text.children[place]?.classList.remove("chosen");
    place = at;
    text.children[at].classList.add("chosen");
    const { character, note } = characters[at];
    const bits = note ? words.wasBits(visible(character), shown(note.bits)) : words.wasFirst(visible(character));
    const list = (note?.others ?? []).map(([id, probability]) => {
      const other = vocab.characters[id];
      return el("button", {
        type: "button", class: "other", disabled: [END, UNKNOWN].includes(other) && "",
        onclick: () => takeOther(at, other),
      }, el("span", {}, visible(other)), el("meter", { min: 0, max: 1, value: probability }), `${shown(100 * probability, 1)} %`);
    });
    others.replaceChildren(el("p", { "aria-live": "polite" }, bits), ...list);
    others.hidden = false;
  }

  /** Put another character at a place, and go on from there. */
  function takeOther(at, other) {
    const firstNew = characters.findIndex(({ isNew }) => isNew);
    const before = characters.slice(0, at).map(({ character }) => character).join("");
    place = -1;
    begin(before + other, newSeed(), firstNew < 0 ? Infinity : firstNew);
  }

  function remember() {
    page.address(Object.fromEntries(Object.entries(inputs).map(([name, { value }]) =>
      [name, value === String(DEFAULTS[name]) ? null : value])));
  }

  const settings = ["temperature", "length", "topk", "topp", "minp", "stop", "seed"];
  root.append(
    el("p", { class: "lead" }, words.writeLead),
    labelled(words.prime, inputs.prime),
    el("div", { class: "buttons" }, Object.values(buttons), labelled(words.tint, tint)),
    el("details", { open: "" }, el("summary", {}, words.settings),
      el("div", { class: "settings" }, settings.map((name) => labelled(words.setting[name], inputs[name])))),
    warning, status, text, others,
  );
  buttons.stop.disabled = true;
  inputs.prime.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) buttons.write.click();
  });
  root.addEventListener("change", remember);
  page.leave = () => page.writer.stop();
}
