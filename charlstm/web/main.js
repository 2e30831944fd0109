// The page: its head, and one of its views. In the worker the same script computes.

import { read, write } from "./address.js";
import { el } from "./dom.js";
import { Engine } from "./engine.js";
import { learnedView } from "./learned.js";
import { lookView } from "./look.js";
import { Vocab } from "./vocab.js";
import { chosenLanguage, LANGUAGES, wordsOf } from "./words.js";
import { work } from "./worker.js";
import { writeView } from "./write.js";

const VIEWS = { write: writeView, look: lookView, learned: learnedView };

function start() {
  const data = JSON.parse(document.getElementById("data").textContent);
  const weights = document.getElementById("weights").textContent;
  const program = document.getElementById("program").textContent;
  const newEngine = () => new Engine(data, weights, program);
  const page = { data, vocab: new Vocab(data.vocab), newEngine, passed: {}, settings: {} };
  const head = el("header"), body = el("main", { id: "view" });
  document.body.append(head, body);

  let language = chosenLanguage();
  /** Show a view; what is in the address counts, and then what was handed over. */
  function show() {
    const found = read(), name = VIEWS[found.view] ? found.view : "write";
    page.words = wordsOf(language);
    page.settings = found.view === name ? found.settings : {};
    page.address = (settings) => write(name, settings);
    document.documentElement.lang = language;
    const links = Object.keys(VIEWS).map((view) =>
      el("a", { href: `#${view}`, "aria-current": view === name && "page", onclick: follow }, page.words.views[view]));
    const choice = LANGUAGES.map(([code, own]) => el("button", {
      type: "button", lang: code, "aria-pressed": String(code === language),
      onclick: () => { language = code; show(); },
    }, own));
    head.replaceChildren(el("h1", {}, data.name), el("nav", {}, links), el("div", { class: "choice" }, choice));
    page.leave?.();
    page.leave = null;
    body.replaceChildren();
    VIEWS[name](body, page);
  }
  /** Go to a link's view; in a frame of a notebook the browser would take "#…" for another page's address. */
  function follow(event) {
    event.preventDefault();
    location.hash = event.currentTarget.getAttribute("href");
  }
  window.addEventListener("hashchange", show);
  show();
}

if (typeof document === "undefined") work(self);
else start();
