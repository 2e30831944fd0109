// What a run was made of: its layers, its settings with the reasons for them, and how to go on with it.

import { counted } from "./chart.js";
import { el } from "./dom.js";

const object = (value) => (value && typeof value === "object" && !Array.isArray(value) ? value : {});
const list = (value) => (Array.isArray(value) ? value : []);

/** Facts about a model that nobody sets. */
const NO_SETTINGS = ["vocab_size", "parameters", "places", "characters"];

/** All of it, as cards. */
export function madeOf(facts, words) {
  return el("div", { class: "columns" }, el("div", {}, settingsOf(facts, words)),
    el("div", {}, layersOf(facts, words), originOf(facts, words), commandsOf(facts, words)));
}

function card(title, ...inside) {
  return el("section", { class: "card wide" }, el("h2", {}, title), ...inside);
}

function layersOf({ layers, model }, { learned }) {
  const rows = list(layers).map(object), { parameters, ensemble_size: members } = object(model);
  if (!rows.length) return null;
  const told = (number) => counted(Number(number));
  return card(learned.layersTitle, el("table", { class: "layers" },
    el("thead", {}, el("tr", {}, learned.layerColumns.map((title) => el("th", { scope: "col" }, title)))),
    el("tbody", {}, rows.map(({ name, shape, parameters: own }) => el("tr", {}, el("td", {}, String(name)),
      el("td", {}, `(${list(shape).join(", ")})`), el("td", { class: "number" }, told(own))))),
    el("tfoot", {}, el("tr", {}, el("td", { colspan: 2 }, members > 1 ? learned.members(members) : learned.total),
      el("td", { class: "number" }, told(parameters))))),
  el("p", { class: "legend" }, learned.layersLead));
}

/** The settings, those that were chosen with the reason. */
function settingsOf({ model, train, text, reasons }, { learned }) {
  const settings = Object.entries({ ...object(model), ...object(train), ...object(text) })
    .filter(([name, value]) => !NO_SETTINGS.includes(name) && value !== null);
  if (!settings.length) return null;
  const why = object(reasons);
  const rows = settings.map(([name, value]) => el("tr", { class: Object.hasOwn(why, name) && "chosen" },
    el("td", {}, el("code", {}, `--${name.replaceAll("_", "-")}`)), el("td", {},
      typeof value === "boolean" ? learned.yesOrNo(value) : String(value),
      Object.hasOwn(why, name) ? el("div", {}, el("strong", {}, learned.chosen), learned.reason(String(why[name]))) : null)));
  const hasChosen = Object.keys(why).length > 0;
  return card(learned.settingsTitle, el("p", { class: "legend" }, hasChosen ? learned.settingsChosen : learned.settingsGiven),
    el("table", { class: "made" }, el("thead", {}, el("tr", {}, learned.settingColumns.map((title) => el("th", { scope: "col" }, title)))),
      el("tbody", {}, rows)));
}

/** The text, the machine and the versions. What isn't known is left out. */
function originOf({ text, began, init_from: from, machine, processor, versions, plan }, { learned }) {
  const { places, characters, documents } = object(text), { report_every: every } = object(plan), { origin } = learned;
  const facts = [
    [origin.text, characters && `${list(places).join(", ") || learned.standardLibrary} · ${learned.characters(counted(Number(characters)))}`],
    [origin.documents, documents && documents !== "none" && documents],
    [origin.from, from], [origin.began, began], [origin.machine, machine], [origin.processor, processor],
    [origin.versions, list(versions).join(", ")], [origin.reports, every && learned.everySteps(counted(Number(every)))],
  ].filter(([, value]) => value);
  if (!facts.length) return null;
  return card(learned.originTitle, el("dl", {}, facts.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, String(value))])),
    machine ? null : el("p", { class: "legend" }, learned.noMachine));
}

/** What was typed, and what can be typed now; a click on a command selects all of it. */
function commandsOf({ command, commands }, { learned }) {
  const lines = [[learned.typed, command], ...Object.entries(object(commands)).map(([name, line]) => [learned.commands[name] ?? name, line])];
  const given = lines.filter(([, line]) => line);
  if (!given.length) return null;
  return card(learned.commandsTitle, given.map(([what, line]) => el("div", {}, el("p", {}, what), el("pre", { class: "command" }, String(line)))));
}
