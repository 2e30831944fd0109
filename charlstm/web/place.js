// Which number of the model is looked at: of a member, a layer, a unit, a signal, at a character of a text.

/** A whole number of the address from 0 to below `end`. */
function whole(value, otherwise, end) {
  return Math.min(end - 1, Math.max(0, Math.floor(Number(value ?? otherwise)) || 0));
}

/** The place that an address tells; what it doesn't tell is that of the first unit that was found, or the top layer's. */
export function placeFrom(told, { ensemble_size, num_layers, hidden_size }, found) {
  return {
    member: whole(told.member, found?.member ?? 0, ensemble_size),
    layer: whole(told.layer, found?.layer ?? num_layers - 1, num_layers),
    unit: whole(told.unit, found?.unit ?? 0, hidden_size),
    signal: told.signal ?? (found ? signalOf(found) : null),
    at: whole(told.at, found && told.text === undefined ? found.places[0] : 0, Infinity),
    from: null, // where a selected stretch begins; it ends at `at`
  };
}

/** The signal that shows a found unit: of the memory tanh c, which has its range. */
export function signalOf(found) {
  return found.signal === "c" ? "t" : found.signal;
}

/** The first and the last character of the selected stretch, or the chosen character twice. */
export function stretchOf({ from, at }) {
  return [Math.min(from ?? at, at), Math.max(from ?? at, at)];
}
