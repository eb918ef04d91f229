// A model's card: what was measured first, with its interval, then what the model cannot know.

import { facts, make } from "./dom.js";

/** The card of a model, or what a result says of a model that is not here any more. */
export function cardBody(card) {
  const [first, ...others] = card.measured ?? [];
  const rows = others.map((one) => [one.name, measured(one)]);
  return make(
    "div",
    { class: "stack" },
    make("p", {}, make("span", { class: "strong" }, `${card.name} ${card.version}`), card.official === false ? " (not an official model)" : ""),
    first && make("div", {}, make("p", { class: "quiet" }, first.name), make("p", { class: "figure" }, measured(first)), first.note && make("p", { class: "quiet" }, first.note)),
    !first && card.facts.length > 0 && facts(card.facts),
    card.limits.length > 0 && make("div", { class: "stack" }, make("h3", {}, "What this model cannot know"), make("ul", { class: "limits" }, ...card.limits.map((words) => make("li", {}, words)))),
    (rows.length > 0 || card.intended_use) &&
      make(
        "details",
        {},
        make("summary", {}, "The whole card"),
        make(
          "div",
          { class: "stack" },
          card.summary && make("p", {}, card.summary),
          rows.length > 0 && facts(rows),
          first && card.facts.length > 0 && facts(card.facts),
          card.intended_use && make("div", {}, make("h3", {}, "Intended use"), make("p", {}, card.intended_use)),
          card.sha256 && facts([["Licence", card.licence], ["SHA-256", card.sha256]]),
        ),
      ),
  );
}

function measured({ text, interval, n, groups }) {
  const size = [n && `${n} images`, groups && `${groups} groups`].filter(Boolean).join(", ");
  const known = [interval && `95 % interval ${interval}`, size].filter(Boolean).join("; ");
  return known ? `${text} (${known})` : text;
}
