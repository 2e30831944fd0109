// The equations of a step, of each kind of cell, with the names of their numbers. "c-" is c of the character before.

import { valueOf } from "./signals.js";

/** A sum of products is a list of lists. "1-f" is 1 - f. */
const MEMORY = {
  lstm: [["f", "c-"], ["i", "g"]],
  peephole: [["f", "c-"], ["i", "g"]],
  mogrifier: [["f", "c-"], ["i", "g"]],
  cifg: [["f", "c-"], ["1-f", "g"]],
  "depth-gated": [["f", "c-"], ["i", "g"], ["d", "c'"]],
};

/** The lines of a cell: each says which products add up to what. */
export function equationsOf(cell, layer) {
  if (cell.startsWith("gru")) return [{ products: [["z", "h-"], ["1-z", "n"]], result: "h" }];
  if (!MEMORY[cell]) return [];
  const products = cell === "depth-gated" && layer === 0 ? MEMORY.lstm : MEMORY[cell];
  return [{ products, result: "c" }, { products: [["o", "t"]], result: "h" }];
}

/** A number of an equation: of a unit at a character. */
export function numberOf(name, trace, { member, layer, unit, at }) {
  const of = trace.of(member, layer);
  if (name.startsWith("1-")) return 1 - of(name.slice(2), at, unit);
  if (name.endsWith("-")) return of(name[0], at - 1, unit);
  if (name === "c'") return trace.of(member, layer - 1)("c", at, unit);
  return valueOf(of, name, at, unit);
}

/** How a name is written in an equation. */
export function written(name) {
  return { t: "tanh c", "c-": "c₋", "h-": "h₋", "c'": "c′" }[name] ?? name.replace("1-", "1 − ");
}
