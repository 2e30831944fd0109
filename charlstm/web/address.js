// The address of a view: what stands behind # in the page's address, so that a view can be sent.
//
//     #look?text=0&layer=1&unit=12&signal=f&at=120

/** The longest text that an address holds. */
export const LONGEST = 4000;

/** The view and its settings that the address names. */
export function read() {
  const [view, settings = ""] = location.hash.slice(1).split(/\?(.*)/s);
  return { view, settings: Object.fromEntries(new URLSearchParams(settings)) };
}

/** Make the address that of a view; settings that are null or empty are left out. It adds nothing to the history. */
export function write(view, settings) {
  const given = Object.entries(settings).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const query = new URLSearchParams(given).toString();
  // The whole address, since "#…" alone would be another page's in a frame of a notebook.
  history.replaceState(null, "", `${location.href.split("#")[0]}#${view}${query && `?${query}`}`);
}
