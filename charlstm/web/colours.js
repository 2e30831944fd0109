// Colours of numbers, for eyes of all kinds, each with a colour for the text on it.

/** From dark blue over grey to yellow (Nuñez et al. 2018, "cividis"): its lightness alone tells the number. */
const SEQUENTIAL = [[0, 32, 81], [60, 77, 110], [127, 124, 117], [187, 175, 113], [253, 234, 69]];

const RED = [214, 69, 65], BLUE = [52, 120, 199], WHITE = [255, 255, 255], SURPRISE = [235, 104, 52];

const between = (from, to, share) => from.map((value, k) => Math.round(value + (to[k] - value) * share));

/** A number from 0 to 1. */
export function sequential(value) {
  const place = Math.min(1, Math.max(0, value)) * (SEQUENTIAL.length - 1), low = Math.min(3, Math.floor(place));
  return between(SEQUENTIAL[low], SEQUENTIAL[low + 1], place - low);
}

/** A number from -1, red, over 0, white, to 1, blue; beyond these it is as there. */
export function diverging(value) {
  return between(WHITE, value < 0 ? RED : BLUE, Math.min(1, Math.abs(value)));
}

/** How surprising a character was: from white, which was certain, to orange, at 8 bits. */
export function surprise(bits) {
  return between(WHITE, SURPRISE, Math.min(1, bits / 8));
}

/** Paint an element's ground, and its text so that it can be read. One that has the colour already is left alone. */
export function paint(element, [red, green, blue]) {
  const colour = (red << 16) | (green << 8) | blue;
  if (element.painted === colour) return;
  element.painted = colour;
  const { style } = element, ink = 0.299 * red + 0.587 * green + 0.114 * blue > 120 ? "#111" : "#fff";
  style.backgroundColor = `#${colour.toString(16).padStart(6, "0")}`;
  if (element.ink !== ink) style.color = element.ink = ink;
}

/** No ground. */
export function unpainted(element) {
  element.style.backgroundColor = element.style.color = "";
  element.painted = element.ink = null;
}
