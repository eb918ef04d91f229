// What went wrong, in words and on the page: also an error of the page's own script.

import { $, make } from "./dom.js";

/** Show a message until it is closed. The same message stands there once. */
export function complain(said, more = "") {
  const key = `${said}|${more}`;
  for (const shown of $("alerts").children) if (shown.dataset.key === key) return;
  const close = make("button", { type: "button", class: "small", onclick: () => alert.remove() }, "Close");
  const alert = make(
    "div",
    { class: "alert" },
    make("div", {}, make("p", { class: "said" }, said), more && make("p", {}, more)),
    close,
  );
  alert.firstChild.style.flex = "1";
  alert.dataset.key = key;
  $("alerts").append(alert);
}

/** Take all messages away, as a new question begins. */
export function calm() {
  $("alerts").replaceChildren();
}

/** An answer that the server refused, or that never came. */
export class Refused extends Error {
  constructor(words, status = 0) {
    super(words);
    this.status = status;
  }
}

/** Errors of the script itself; what the server said is shown as it stands. */
export function report(error) {
  if (error instanceof Refused) complain(error.message);
  else complain("The page's script met an error. Load the page again; your results are kept.", String(error?.message ?? error));
}

window.addEventListener("error", (event) => report(event.error ?? event.message));
window.addEventListener("unhandledrejection", (event) => report(event.reason));
