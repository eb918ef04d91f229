// Small helpers. Text is always set as text, never as markup.

export const $ = (id) => document.getElementById(id);

const there = (child) => child !== undefined && child !== null && child !== false && child !== "";

/** An element: `make("p", {class: "quiet", onclick: f}, "words", otherElement)`. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.entries(value).forEach(([k, v]) => element.style.setProperty(k, v));
    else element.setAttribute(name, value === true && !name.startsWith("aria-") ? "" : value);
  }
  element.append(...children.filter(there));
  return element;
}

/** Replace all that an element holds. */
export function fill(element, ...children) {
  element.replaceChildren(...children.filter(there));
}

/** A box with a heading, which names it for a screen reader. */
let boxes = 0;
export function box(title, ...children) {
  const id = `box-${(boxes += 1)}`;
  return make("section", { class: "card stack", "aria-labelledby": id }, make("h2", { id }, title), ...children);
}

/** Rows of names and values. */
export function facts(pairs) {
  return make("dl", { class: "facts" }, ...pairs.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

/** Tell a screen reader; nothing is seen. */
export function say(words) {
  $("said").textContent = words;
}

/** Bytes as people write them. */
export function size(bytes) {
  if (bytes < 1e6) return `${Math.max(1, Math.round(bytes / 1e3))} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

/** A time as people say it. */
export function span(seconds) {
  if (seconds < 1) return "less than a second";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
