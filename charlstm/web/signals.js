// What the signals of a cell are called, what they mean, and which numbers they hold.

/** From 0 to 1: how far a gate is open. */
const GATES = new Set(["i", "f", "o", "r", "z", "d"]);

/** The signals that a view offers for a layer, with tanh of the memory, "t", after the memory. */
export function offered(names) {
  return names.flatMap((name) => (name === "c" ? ["c", "t"] : [name]));
}

/** How a signal is written. */
export function nameOf(name) {
  return name === "t" ? "tanh c" : name;
}

/** The number of a signal, of a unit at a character. `of` is as `Trace.of`. */
export function valueOf(of, name, at, unit) {
  return name === "t" ? Math.tanh(of("c", at, unit)) : of(name, at, unit);
}

/** Whether its numbers go from 0, closed, to 1, open, and not from -1 to 1. */
export function isGate(name) {
  return GATES.has(name) || isRound(name);
}

/** Whether it is a round of the mogrifier, whose numbers go from 0 to 2. */
export function isRound(name) {
  return /^q\d$/.test(name);
}

/** The gate that says how much of the memory stays, if a cell has one. */
export function keeperOf(names) {
  return ["f", "z"].find((name) => names.includes(name)) ?? null;
}
