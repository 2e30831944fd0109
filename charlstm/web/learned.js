// How it learned: the curves of a run or several, its samples along the way, and what it was made of.

import { brief, Chart, counted } from "./chart.js";
import { el, shown, svg } from "./dom.js";
import { madeOf } from "./made.js";

/** A report's number, or null where there is none: another program may have written anything there. */
const number = (value) => (typeof value === "number" && Number.isFinite(value) ? value : null);

/** How many samples are shown along the way. */
const SAMPLES = 8;

const CHARTS = [
  { name: "bits", lines: [["val_bits_per_char", false], ["train_bits_per_char", true]] },
  { name: "rate", lines: [["learning_rate", false]], fromZero: true },
  { name: "speed", lines: [["chars_per_second", false]], fromZero: true },
  { name: "norm", lines: [["grad_norm", false]], fromZero: true, mayBeLog: true },
];

/** From here on, the greatest to the least number, an axis is logarithmic where it may be. */
const WIDE = 20;

/** The runs that a page holds, as far as they are what they should be. */
export function runsOf(data) {
  const runs = Array.isArray(data.runs) ? data.runs : [];
  return runs.filter((facts) => facts && typeof facts === "object").map((facts) => {
    const reports = (Array.isArray(facts.reports) ? facts.reports : []).filter((report) => number(report?.step) !== null);
    return { facts, name: String(facts.name ?? facts.path ?? ""), reports };
  });
}

/** The number of a run's report with the best validation, or -1. */
export function bestOf(reports) {
  const scores = reports.map((report) => number(report.val_bits_per_char) ?? Infinity);
  const best = scores.reduce((a, b) => Math.min(a, b), Infinity);
  return best < Infinity ? scores.indexOf(best) : -1;
}

/** The numbers of a report: [[what, number], …]. */
function numbersOf(report, words) {
  const { learned } = words, found = [];
  const add = (name, value, told) => { if (number(value) !== null) found.push([name, told(value)]); };
  add(learned.step, report.step, counted);
  add(learned.epoch, report.epoch, (value) => shown(value));
  add(learned.time, report.seconds, (value) => learned.minutes(shown(value / 60, 1)));
  add(learned.training, report.train_bits_per_char, (value) => learned.bits(shown(value, 3)));
  add(learned.validation, report.val_bits_per_char, (value) => learned.bits(shown(value, 3)));
  add(learned.rate, report.learning_rate, (value) => String(Number(value.toPrecision(3))));
  add(learned.speed, report.chars_per_second, (value) => learned.aSecond(counted(value)));
  add(learned.norm, report.grad_norm, (value) => String(Number(value.toPrecision(3))));
  return found;
}

export function learnedView(root, page) {
  const { words, data } = page, { learned } = words, runs = runsOf(data);
  root.append(el("p", { class: "lead" }, words.learnedLead));
  if (!runs.length) {
    root.append(el("p", { id: "nothing" }, learned.nothing));
    return;
  }
  const place = { run: Math.max(0, runs.findIndex(({ reports }) => reports.length)), at: 0, x: page.settings.x === "time" ? "time" : "step" };
  place.at = Math.max(0, runs[place.run].reports.length - 1);
  const curves = el("div", { class: "charts" }), panel = el("div", { id: "report", class: "card" });
  let charts = [];
  const observer = new ResizeObserver(() => charts.forEach((chart) => chart.draw()));

  /** Draw all charts over steps or over time. */
  function draw() {
    charts = CHARTS.flatMap((what) => chartOf(what, runs, place.x, words, { choose: move, keyed }) ?? []);
    curves.replaceChildren(...charts.map((chart) => el("figure", { class: "card" },
      el("figcaption", {}, learned.chart[chart.name], chart.isLog ? ` ${learned.logarithmic}` : ""), chart.element)));
    for (const chart of charts) {
      chart.draw();
      observer.observe(chart.element);
    }
    for (const button of axis.children) button.setAttribute("aria-pressed", String(button.value === place.x));
    if (runs[place.run].reports.length) move(place.run, place.at);
  }

  /** Go to a report: the cursor of all charts, and what is told below. */
  function move(run, at) {
    const { reports, name } = runs[run];
    [place.run, place.at] = [run, Math.min(reports.length - 1, Math.max(0, at))];
    const report = reports[place.at], numbers = numbersOf(report, words);
    const told = [...(runs.length > 1 ? [`${run + 1} ${name}`] : []), ...numbers.map((each) => each.join(" "))].join(", ");
    for (const chart of charts) chart.mark(run, place.at, told, reports.length);
    panel.replaceChildren(
      el("p", { class: "numbers" }, runs.length > 1 ? el("strong", { class: `run-name run${run % 6}` }, `${run + 1} ${name}`) : null,
        numbers.flatMap(([what, value]) => [" ", el("span", {}, `${what} `, el("strong", {}, value))])),
      sampleOf(report, words));
  }

  function keyed(event) {
    const { reports } = runs[place.run];
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    const turn = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (step && reports.length) move(place.run, place.at + step);
    else if (turn) {
      const others = runs.map((_, run) => run).filter((run) => runs[run].reports.length);
      move(others[(others.indexOf(place.run) + turn + others.length) % others.length], place.at);
    } else return;
    event.preventDefault();
  }

  const axis = el("div", { class: "buttons", role: "group", "aria-label": learned.axis }, ["step", "time"].map((name) =>
    el("button", {
      type: "button", value: name,
      onclick: () => { place.x = name; page.address({ x: name === "time" ? name : null }); draw(); },
    }, learned.over[name])));
  const hasReports = runs.some(({ reports }) => reports.length);
  root.append(
    ...noticesOf(runs, data.model === null, words),
    hasReports ? axis : "", hasReports ? legendOf(runs, words) : "", curves, hasReports ? panel : "",
    runs.length > 1 ? tableOf(runs, words) : "",
    ...runs.map((run, at) => el("details", { class: "run", open: at === 0 && "" },
      el("summary", {}, runs.length > 1 ? `${at + 1} ${run.name}` : learned.details),
      samplesOf(run, (report) => move(at, report), words), madeOf(run.facts, words))),
  );
  if (hasReports) draw();
  page.leave = () => observer.disconnect();
}

/** A chart of some of the reports' numbers, or null where none has them. */
function chartOf({ name, lines, fromZero, mayBeLog }, runs, xName, words, actions) {
  const across = { step: (report) => number(report.step), time: (report) => number(report.seconds) && report.seconds / 60 }[xName];
  const all = runs.flatMap(({ reports }, run) => lines.map(([field, isDashed]) => ({
    run, isDashed, points: reports.map((report, at) => ({ x: across(report), y: number(report[field]), at }))
      .filter(({ x, y }) => x !== null && y !== null),
  }))).filter(({ points }) => points.length);
  if (!all.length) return null;
  const values = all.flatMap(({ points }) => points.map(({ y }) => y)), low = values.reduce((a, b) => Math.min(a, b));
  const isLog = Boolean(mayBeLog) && low > 0 && values.reduce((a, b) => Math.max(a, b)) > WIDE * low;
  const best = name === "bits" ? runs.map(({ reports }, run) => ({ run, at: bestOf(reports) })) : [];
  return new Chart({
    name, lines: all, isLog, fromZero: fromZero && !isLog, best, xTitle: words.learned.over[xName], label: words.learned.chart[name], ...actions,
  });
}

/** What a report's sample was, or that there is none. */
function sampleOf(report, words) {
  const { sample } = report;
  if (typeof sample !== "string") return el("p", { class: "legend" }, words.learned.noSample);
  return el("div", { class: "text sample", tabindex: 0, role: "group", "aria-label": words.learned.sample }, sample);
}

/** Which line is what. */
function legendOf(runs, words) {
  const stroke = (className) => svg("svg", { class: `stroke ${className}`, width: 34, height: 10, "aria-hidden": "true" },
    svg("line", { x1: 2, x2: 32, y1: 5, y2: 5 }));
  const entry = (className, told) => el("span", {}, stroke(className), ` ${told}`);
  const areMany = runs.length > 1;
  return el("p", { class: "strokes" },
    areMany ? runs.map(({ name }, run) => entry(`run${run % 6}`, `${run + 1} ${name}`)) : null,
    entry(areMany ? "" : "run0", words.learned.heldOut), entry(areMany ? "dashed" : "run0 dashed", words.learned.training),
    el("span", {}, words.learned.ring));
}

/** Lines on what is missing in some runs, and on a training that goes on. */
function noticesOf(runs, hasNoModel, { learned }) {
  const notices = [], who = new Map(), { step, steps, as_of: asOf } = runs[0].facts;
  if (hasNoModel) notices.push(number(step) !== null && step < steps ?
    learned.goesOn(counted(step), counted(steps), clock(asOf), left(runs[0].facts)) : learned.withoutModel);
  for (const { name, reports } of runs) {
    const has = { sample: (report) => typeof report.sample === "string", grad_norm: (report) => number(report.grad_norm) !== null,
      val_bits_per_char: (report) => number(report.val_bits_per_char) !== null };
    const missing = Object.keys(has).filter((field) => !reports.some(has[field])).map((field) => learned.lacking[field]);
    const told = reports.length ? missing.length && learned.lacks(missing) : learned.noReports;
    if (told) who.set(told, [...(who.get(told) ?? []), name]);
  }
  for (const [told, names] of who) notices.push(runs.length > 1 ? `${names.join(", ")}: ${told}` : told);
  return notices.map((notice) => el("p", { class: "notice", role: "note" }, notice));
}

/** When a page was written: the time, and the day if it was another one. */
function clock(asOf) {
  const then = new Date(typeof asOf === "string" ? asOf : NaN);
  if (Number.isNaN(then.getTime())) return "";
  return then.toDateString() === new Date().toDateString() ? then.toLocaleTimeString() : then.toLocaleString();
}

/** Minutes that are left at the speed so far; null before there is one. */
function left({ step, steps, seconds }) {
  return number(seconds) && step > 0 ? brief(Math.ceil(((steps - step) * seconds) / step / 60)) : null;
}

/** Some of a run's samples, from the first to the last. */
function samplesOf({ reports }, go, { learned }) {
  const those = reports.map((report, at) => at).filter((at) => typeof reports[at].sample === "string");
  if (!those.length) return null;
  const count = Math.min(SAMPLES, those.length);
  const some = Array.from({ length: count }, (_, k) => those[count > 1 ? Math.round((k * (those.length - 1)) / (count - 1)) : 0]);
  return el("section", { class: "card" }, el("h2", {}, learned.samplesTitle), el("p", { class: "legend" }, learned.samplesLead),
    el("ol", { class: "samples" }, some.map((at) => {
      const { step, val_bits_per_char: bits, sample } = reports[at];
      const told = number(bits) === null ? "" : ` · ${learned.bits(shown(bits, 3))}`;
      return el("li", {}, el("button", { type: "button", onclick: () => go(at) }, `${learned.at(counted(step))}${told}`),
        el("div", { class: "text sample" }, sample));
    })));
}

/** The runs side by side. */
function tableOf(runs, { learned }) {
  const cells = ({ facts, name }, run) => {
    const model = facts.model ?? {}, size = `${model.num_layers} × ${model.hidden_size}`;
    const told = (value, digits) => (number(value) === null ? "–" : digits === undefined ? counted(value) : shown(value, digits));
    return [el("strong", { class: `run-name run${run % 6}` }, `${run + 1} ${name}`), told(facts.best_val_bits_per_char, 3),
      told(number(facts.seconds) && facts.seconds / 60, 1), told(facts.step), told(model.parameters), String(model.cell ?? "–"),
      model.num_layers === undefined ? "–" : model.ensemble_size > 1 ? `${model.ensemble_size} × (${size})` : size];
  };
  return el("section", { class: "card wide" }, el("h2", {}, learned.runsTitle), el("table", { id: "runs" },
    el("thead", {}, el("tr", {}, learned.runColumns.map((title) => el("th", { scope: "col" }, title)))),
    el("tbody", {}, runs.map((run, at) => el("tr", {}, cells(run, at).map((cell) => el("td", {}, cell)))))));
}
