// Elements from data. Text becomes text, never markup: whatever stands in a vocabulary or a name runs nothing.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children. `on…` attributes are listeners; false and null leave an attribute out. */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for a drawing. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** A number input, a box or a select with its label. */
export function labelled(label, input) {
  return el("label", {}, el("span", {}, label), input);
}

/** How a character is shown where it would be invisible. */
export function visible(character) {
  return { "\n": "↵", " ": "␣", "\t": "⇥", "\ufdd0": "■" }[character] ?? character;
}

/** A number with so many digits, and a true minus. */
export function shown(number, digits = 2) {
  const written = number.toFixed(digits);
  return Number(written) === 0 ? written.replace("-", "") : written.replace("-", "−");
}

/** A probability in percent. */
export function percent(probability) {
  return probability < 0.0005 ? "< 0.1 %" : `${shown(100 * probability, 1)} %`;
}
