// Which character comes next: temperature, filters, and a draw from random numbers with a seed.

/** Random numbers from 0 to 1 that follow from a seed (Bob Jenkins's small generator, sfc32). */
export function randomOf(seed) {
  let a = 0x9e3779b9, b = seed >>> 0, c = Math.floor(seed / 2 ** 32) >>> 0, counter = 1;
  const next = () => {
    const t = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t | 0;
    return (t >>> 0) / 2 ** 32;
  };
  for (let k = 0; k < 12; k++) next(); // until the seed is everywhere
  return next;
}

/** The probabilities of logits, by the model itself. */
export function softmax(logits) {
  const highest = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const likely = Float64Array.from(logits, (logit) => Math.exp(logit - highest));
  const total = likely.reduce((a, b) => a + b, 0);
  return likely.map((value) => value / total);
}

/**
 * The id that comes next. `never` has the ids that are not to be drawn. In this order, at the temperature: `topK` keeps
 * the k likeliest; `topP` the smallest number of likeliest ones that together reach it; `minP` those of at least this
 * share of the likeliest. At a temperature of 0 it is the likeliest one, and the first of equal ones.
 *
 * @param settings {temperature, topK, topP, minP}; null for a filter that isn't wanted
 */
export function draw(logits, never, { temperature, topK, topP, minP }, random) {
  let highest = -1;
  for (let id = 0; id < logits.length; id++) {
    if (!never.has(id) && (highest < 0 || logits[id] > logits[highest])) highest = id;
  }
  if (temperature === 0) return highest;
  let kept = [];
  for (let id = 0; id < logits.length; id++) {
    if (!never.has(id)) kept.push({ id, likely: Math.exp((logits[id] - logits[highest]) / temperature) });
  }
  if (topK !== null || topP !== null || minP !== null) kept = filtered(kept, topK, topP, minP);
  let rest = random() * kept.reduce((sum, { likely }) => sum + likely, 0);
  for (const { id, likely } of kept) if ((rest -= likely) < 0) return id;
  return kept.at(-1).id;
}

/** Those that the filters keep. The greatest `likely` is 1. */
function filtered(all, topK, topP, minP) {
  let kept = all.sort((a, b) => b.likely - a.likely || a.id - b.id);
  if (topK !== null) kept = kept.slice(0, topK);
  if (topP !== null) {
    const enough = topP * kept.reduce((sum, { likely }) => sum + likely, 0);
    let before = 0;
    kept = kept.filter(({ likely }) => {
      const isKept = before < enough;
      before += likely;
      return isKept;
    });
  }
  return minP === null ? kept : kept.filter(({ likely }) => likely >= minP);
}

/** The likeliest ids with their probabilities, [id, probability], the likeliest first. */
export function likeliest(probabilities, count) {
  const found = [];
  probabilities.forEach((probability, id) => {
    if (found.length === count && probability <= found.at(-1)[1]) return;
    const place = found.findIndex(([, other]) => other < probability);
    found.splice(place < 0 ? found.length : place, 0, [id, probability]);
    found.length = Math.min(found.length, count);
  });
  return found;
}
