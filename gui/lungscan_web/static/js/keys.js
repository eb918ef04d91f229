// Single keys, where nobody is typing. A modifier or a field keeps its own meaning.

const KEYS = { f: "fit", h: "map", n: "next", p: "previous", "?": "keys", ".": "next-slice", ",": "previous-slice" };

/** Hand the name of what a key means to `act`. */
export function takeKeys(act) {
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input:not([type=checkbox]):not([type=range]), select, textarea, dialog");
    if (event.ctrlKey || event.altKey || event.metaKey || typing) return;
    const name = KEYS[event.key];
    if (!name) return;
    event.preventDefault();
    act(name);
  });
}
