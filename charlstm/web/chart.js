// A chart: lines over one axis, drawn as wide as there is room, and a cursor at one of their points.

import { el, svg } from "./dom.js";

const HEIGHT = 220, LEFT = 52, RIGHT = 26, TOP = 14, BOTTOM = 36;

/** With more points than these, a line has no dots. */
const MOST_DOTS = 60;

/** A number as an axis has it: 0.003, 1.25, 12K or, in Chinese, 1.2万. */
export function brief(number) {
  const told = new Intl.NumberFormat(document.documentElement.lang, { notation: "compact", maximumSignificantDigits: 3 });
  return told.format(number).replace("-", "−");
}

/** A whole number with its thousands set apart. */
export function counted(number) {
  return number.toLocaleString(document.documentElement.lang);
}

/** Round numbers between two: about `most` of them. */
export function ticks(low, high, most) {
  const rough = (high - low) / most, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough * 0.999);
  const first = Math.ceil(low / step - 1e-9), last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, k) => (first + k) * step);
}

/** Numbers for a logarithmic axis: 1, 2, 5, 10 … where there is room for them, or powers of ten. */
export function logTicks(low, high, most) {
  const from = Math.floor(Math.log10(low)), to = Math.ceil(Math.log10(high)), apart = Math.ceil((to - from) / most);
  const of = (factors, every) => Array.from({ length: to - from + 1 }, (_, k) => from + k)
    .filter((exponent) => exponent % every === 0).flatMap((exponent) => factors.map((factor) => factor * 10 ** exponent))
    .filter((each) => each >= low * 0.999 && each <= high * 1.001);
  const fine = of([1, 2, 5], 1);
  return fine.length <= most ? fine : of([1], Math.max(1, apart));
}

/** Where numbers between two stand between two places. */
function scale([low, high], from, to, isLog) {
  const of = isLog ? Math.log : (value) => value;
  return (value) => from + ((of(value) - of(low)) / (of(high) - of(low))) * (to - from);
}

/** The least and the greatest number, a little apart where they are equal. */
function range(numbers, isLog) {
  const low = numbers.reduce((a, b) => Math.min(a, b), Infinity), high = numbers.reduce((a, b) => Math.max(a, b), -Infinity);
  if (low < high) return [low, high];
  return isLog || low > 0 ? [low / 1.1, high * 1.1] : [low - 1, high + 1];
}

export class Chart {
  /**
   * @param {object} what
   * @param {string} what.label for those who can't see it
   * @param {{run: number, isDashed: boolean, points: {x: number, y: number, at: number}[]}[]} what.lines the points of a
   *   run, each of its report number `at`
   * @param {string} what.xTitle what lies to the right
   * @param {boolean} what.isLog whether to the top it is logarithmic
   * @param {boolean} what.fromZero whether the axis begins at zero
   * @param {{run: number, at: number}[]} what.best points to be ringed
   * @param {(run: number, at: number) => void} what.choose called for the point under the mouse
   * @param {(event: KeyboardEvent) => void} what.keyed called for a key
   */
  constructor(what) {
    Object.assign(this, what);
    const points = this.lines.flatMap((line) => line.points);
    this.x = range([0, ...points.map(({ x }) => x)], false);
    this.y = range(points.map(({ y }) => y), this.isLog);
    if (this.fromZero) this.y[0] = Math.min(0, this.y[0]);
    this.areMany = new Set(this.lines.map(({ run }) => run)).size > 1;
    this.cursor = svg("g", { class: "cursor" });
    this.element = el("div", {
      class: "chart", tabindex: 0, role: "slider", "aria-label": this.label, "aria-valuemin": 0,
      onkeydown: this.keyed, onpointermove: (event) => this.pointed(event), onpointerdown: (event) => this.pointed(event),
    });
  }

  /** Draw it as wide as there is room. */
  draw() {
    this.width = Math.max(200, this.element.clientWidth);
    this.across = scale(this.x, LEFT, this.width - RIGHT, false);
    this.up = scale(this.y, HEIGHT - BOTTOM, TOP, this.isLog);
    this.element.replaceChildren(svg("svg", { width: this.width, height: HEIGHT, "aria-hidden": "true" },
      this.axes(), this.lines.map((line) => this.line(line)), this.rings(), this.areMany ? this.ends() : null, this.cursor));
    if (this.marked) this.mark(this.marked.run, this.marked.at, this.marked.told, this.marked.count);
  }

  axes() {
    const heights = (this.isLog ? logTicks : ticks)(...this.y, 5), widths = ticks(...this.x, Math.floor(this.width / 75));
    const bottom = HEIGHT - BOTTOM, right = this.width - RIGHT;
    return svg("g", { class: "axes" },
      heights.map((y) => [svg("line", { x1: LEFT, x2: right, y1: this.up(y), y2: this.up(y) }),
        svg("text", { x: LEFT - 6, y: this.up(y) + 4, "text-anchor": "end" }, brief(y))]).flat(),
      widths.map((x) => [svg("line", { x1: this.across(x), x2: this.across(x), y1: bottom, y2: bottom + 4 }),
        svg("text", { x: this.across(x), y: bottom + 17, "text-anchor": "middle" }, brief(x))]).flat(),
      svg("text", { x: right, y: HEIGHT - 3, "text-anchor": "end" }, this.xTitle));
  }

  line({ run, isDashed, points }) {
    const places = points.map(({ x, y }) => `${this.across(x).toFixed(1)},${this.up(y).toFixed(1)}`);
    const dots = points.length > MOST_DOTS || isDashed ? [] :
      points.map(({ x, y }) => svg("circle", { cx: this.across(x), cy: this.up(y), r: 2.5 }));
    return svg("g", { class: `curve run${run % 6}${isDashed ? " dashed" : ""}` }, svg("polyline", { points: places.join(" ") }), dots);
  }

  rings() {
    return this.found(this.best ?? []).map(({ run, x, y }) => svg("g", { class: `best run${run % 6}` },
      svg("circle", { cx: this.across(x), cy: this.up(y), r: 6 }),
      this.areMany ? null : svg("text", { x: Math.min(this.across(x), this.width - RIGHT), y: this.up(y) - 10, "text-anchor": "end" }, y.toFixed(3))));
  }

  /** The number of its run at the end of each line, for eyes that don't tell the colours apart; none on another. */
  ends() {
    const ends = this.lines.filter((line) => !line.isDashed && line.points.length).map(({ run, points }) => {
      const { x, y } = points[points.length - 1];
      return { run, x: this.across(x) + 9, y: this.up(y) + 4 };
    }).sort((a, b) => a.y - b.y);
    const placed = [];
    for (const end of ends) {
      for (const other of placed) if (Math.abs(end.x - other.x) < 14 && end.y - other.y < 12) end.y = other.y + 12;
      placed.push(end);
    }
    return svg("g", { class: "ends" }, placed.map(({ run, x, y }) => svg("text", { x, y }, String(run + 1))));
  }

  /** The points of some reports. */
  found(reports) {
    return reports.flatMap(({ run, at }) => this.lines.filter((line) => line.run === run && !line.isDashed)
      .flatMap((line) => line.points.filter((point) => point.at === at)).map((point) => ({ run, ...point })));
  }

  /** The point nearest to the mouse: of one run only to the right counts, of several how far up, too. */
  pointed({ clientX, clientY }) {
    const { left, top } = this.element.getBoundingClientRect();
    let nearest = null, least = Infinity;
    for (const { run, points } of this.lines) {
      for (const { x, y, at } of points) {
        const across = this.across(x) - (clientX - left), up = this.areMany ? this.up(y) - (clientY - top) : 0;
        if (across * across + up * up < least) [nearest, least] = [{ run, at }, across * across + up * up];
      }
    }
    if (nearest) this.choose(nearest.run, nearest.at);
  }

  /** Put the cursor at a report, of `count`, and tell its numbers. */
  mark(run, at, told, count) {
    this.marked = { run, at, told, count };
    const lines = this.lines.filter((line) => line.run === run);
    const points = lines.flatMap((line) => line.points.filter((point) => point.at === at));
    this.element.setAttribute("aria-valuemax", count - 1);
    this.element.setAttribute("aria-valuenow", at);
    this.element.setAttribute("aria-valuetext", told);
    if (!this.across) return;
    const x = points.length ? this.across(points[0].x) : null;
    this.cursor.replaceChildren(...(x === null ? [] : [
      svg("line", { x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM }),
      ...points.map(({ y }) => svg("circle", { class: `run${run % 6}`, cx: x, cy: this.up(y), r: 4.5 })),
    ]));
  }
}
