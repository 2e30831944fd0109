// How it learned: the curves of a run or several, and what each was made of.

import { el } from "./dom.js";

export function learnedView(root, page) {
  const { words, data } = page;
  root.append(el("p", { class: "lead" }, words.learnedLead), el("pre", {}, JSON.stringify(data.runs, null, 1)));
}
