// The address of a view: what stands behind # in the page's address, so that a view can be sent.
//
//     #look?text=0&layer=1&unit=12&signal=f&at=120

/** The longest text that an address holds. */
export const LONGEST = 4000;

/** The view and its settings that the address names. */
export function read() {
  latest = location.hash;
  const [view, settings = ""] = location.hash.slice(1).split(/\?(.*)/s);
  return { view, settings: Object.fromEntries(new URLSearchParams(settings)) };
}

/** Milliseconds after which an address is written: browsers allow only so many changes in a while. */
const DELAY = 150;

let waiting, latest = "";

/** The address that was read or written last; the browser may have gone on to another one already. */
export const current = () => latest;

/** Make the address that of a view; settings that are null or empty are left out. It adds nothing to the history. */
export function write(view, settings) {
  clearTimeout(waiting);
  waiting = setTimeout(() => writeNow(view, settings), DELAY);
}

/** What was to be written, and wasn't yet, isn't the address any more. */
export function forget() {
  clearTimeout(waiting);
}

function writeNow(view, settings) {
  const given = Object.entries(settings).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const query = new URLSearchParams(given).toString();
  // The whole address, since "#…" alone would be another page's in a frame of a notebook.
  history.replaceState(null, "", `${location.href.split("#")[0]}#${view}${query && `?${query}`}`);
  latest = location.hash;
}
