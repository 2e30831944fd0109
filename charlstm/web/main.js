// The page: its head, and one of its views. In the worker the same script computes.

import { forget, read, write } from "./address.js";
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
  const page = { data, vocab: new Vocab(data.vocab), newEngine, kept: {}, settings: {} };
  const views = data.model ? VIEWS : { learned: learnedView }; // without a model there is only that
  const head = el("header"), body = el("main", { id: "view" });
  document.body.append(head, body);

  let language = chosenLanguage();
  /** Show the view of the address. */
  function show() {
    page.leave?.(); // what a view has made stays in `kept`
    page.leave = null;
    forget();
    const found = read(), name = Object.hasOwn(views, found.view) ? found.view : Object.keys(views)[0];
    page.words = wordsOf(language);
    page.settings = found.view === name ? found.settings : {};
    page.address = (settings) => write(name, settings);
    document.documentElement.lang = language;
    const links = Object.keys(views).map((view) =>
      el("a", { href: `#${view}`, "aria-current": view === name && "page", onclick: follow }, page.words.views[view]));
    const choice = LANGUAGES.map(([code, own]) => el("button", {
      type: "button", lang: code, "aria-pressed": String(code === language),
      onclick: () => { language = code; show(); },
    }, own));
    head.replaceChildren(el("h1", {}, data.name), el("nav", {}, links), el("div", { class: "choice" }, choice));
    body.replaceChildren();
    views[name](body, page);
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
