// A model's card: what was measured first, with its interval, then what the model cannot know.

import { facts, make } from "./dom.js";

/**
 * The card of a model, or what a result says of a model that is not here any more. The first fact
 * is the one that reports lead with; with `brief` its limits are folded away.
 */
export function cardBody(card, { brief = false } = {}) {
  const [first, ...others] = card.facts;
  const limits = card.limits.length > 0 &&
    make("div", { class: "stack" }, make("h3", {}, "What this model cannot know"), make("ul", { class: "limits" }, ...card.limits.map((words) => make("li", {}, words))));
  const rows = (card.measured ?? []).map((one) => [one.name, measured(one)]);
  const whole = make(
    "div",
    { class: "stack" },
    others.length > 0 && facts(others),
    rows.length > 0 && make("h3", {}, "All that was measured"),
    rows.length > 0 && facts(rows),
    brief && limits,
    card.intended_use && make("div", {}, make("h3", {}, "Intended use"), make("p", {}, card.intended_use)),
    card.sha256 && facts([["Licence", card.licence], ["SHA-256", card.sha256]]),
  );
  return make(
    "div",
    { class: "model stack" },
    make("h3", {}, `${card.name} ${card.version}`, card.official === false && " (not an official model)"),
    brief && card.summary && make("p", {}, card.summary),
    first && make("div", {}, make("p", { class: "quiet" }, first[0]), make("p", { class: "figure" }, first[1])),
    !brief && limits,
    whole.children.length > 0 && make("details", {}, make("summary", {}, "The whole card"), whole),
  );
}

function measured({ text, interval, n, groups }) {
  const size = [n && `${n} images`, groups && `${groups} groups`].filter(Boolean).join(", ");
  const known = [interval && `95 % interval ${interval}`, size].filter(Boolean).join("; ");
  return known ? `${text} (${known})` : text;
}
