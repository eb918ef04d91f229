// Where in the picture the answer comes from: made only when somebody asks, since it takes a while.

import { ask } from "./api.js";
import { box, fill, make, say } from "./dom.js";
import { report } from "./errors.js";

const POLL_MS = 1000;

/** What is explained of each kind of picture. */
const EXPLAINED = { slide: "the clearest tile", series: "the slice shown first as evidence", field: "the picture" };

/** A button, later the pictures. */
export function explanationBox({ explanation: url, kind }) {
  const inside = make("div", { class: "stack", "aria-live": "polite" });
  const button = make("button", { type: "button", onclick: () => explain(url, inside).catch(report) }, "Explain this answer");
  fill(inside, make("p", { class: "quiet" }, `Blurs one part of ${EXPLAINED[kind]} after the other and measures what that does to the probability. Takes a while.`), button);
  ask(url).then((state) => state.state !== "none" && explain(url, inside, state), () => {});
  return box("Explanation", inside);
}

async function explain(url, inside, known) {
  let state = known ?? (await ask(url, "POST"));
  fill(inside, make("p", {}, "The explanation is being made."), make("progress", { "aria-label": "Explanation" }));
  while (state.state === "working" && inside.isConnected) {
    await new Promise((done) => window.setTimeout(done, POLL_MS));
    state = await ask(url);
  }
  if (!inside.isConnected) return;
  const pictures = (state.pictures ?? []).map((picture) =>
    make("figure", { class: "stack" }, make("a", { href: picture.url, target: "_blank", rel: "noopener" }, make("img", { src: picture.url, alt: picture.title })), make("figcaption", {}, make("span", { class: "strong" }, picture.title), " ", picture.words)),
  );
  fill(inside, state.message && make("p", {}, state.message), ...pictures);
  say(state.state === "ready" ? "The explanation is there." : state.message);
}
