// The answer of a case, in the server's words: class and calibrated probability, or why there is none.

import { box, facts, make, say } from "./dom.js";
import { cardBody } from "./card.js";
import { explanationBox } from "./explanation.js";

const KICKERS = { ok: "Model output", no_result: "Model output", partial: "Model output", failed: "Not classified", skipped: "Not classified" };

/** Black or white, whichever reads better on a colour. */
export function ink(color) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
  return 0.299 * red + 0.587 * green + 0.114 * blue > 140 ? "#000000" : "#ffffff";
}

/** A letter on its class's colour. */
export function letter({ color, letter: sign }) {
  return make("span", { class: "letter", "aria-hidden": true, style: { background: color, color: ink(color) } }, sign);
}

/** What stands in the box while a case has not ended. */
export function pendingBox(job, n) {
  const one = job.cases.find((each) => each.n === n);
  const stopped = ["cancelled", "failed"].includes(job.state);
  const kicker = { cancelled: "Cancelled", failed: "Not classified" }[job.state] ?? "In work";
  return make(
    "div",
    { class: "card output" },
    make("p", { class: "kicker" }, kicker),
    make("p", { class: "label" }, one?.name ?? job.names[0] ?? ""),
    make("p", { class: "quiet" }, stopped ? job.message : job.words),
  );
}

/** What stands in the box of a file that no model was shown. */
export function refusedBox({ name, headline, why }) {
  return make(
    "div",
    { class: "card output stack" },
    make("div", {}, make("p", { class: "kicker" }, KICKERS.failed), make("p", { class: "label" }, headline)),
    make("p", {}, why),
    make("p", { class: "quiet" }, name),
  );
}

/** A reason in a few words as a sentence. */
function sentence(words) {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}

/** The first box: as the report has it. */
export function outputBox(answer) {
  const mark = answer.classes.find(({ name }) => name === answer.label)?.color;
  const number = answer.label && answer.confidence_text;
  return make(
    "div",
    { class: "card output stack", style: { "--mark": mark ?? "var(--quiet)" } },
    make(
      "div",
      { class: "head" },
      make("div", {}, make("p", { class: "kicker" }, KICKERS[answer.status] ?? ""), make("p", { class: "label" }, answer.answer_line)),
      number && make("div", { class: "sure" }, make("p", { class: "kicker" }, "Calibrated probability"), make("p", { class: "number" }, number)),
    ),
    answer.why && make("p", {}, answer.status === "skipped" ? sentence(answer.why) : answer.why),
    answer.unspoken && make("p", { class: "quiet" }, answer.unspoken),
    make("p", { class: "quiet" }, answer.name),
  );
}

/** The classes with their numbers and, where there is a map, a switch for each of what it shows. */
export function classesBox(answer, mapped, shown, switched) {
  if (!answer.classes.some(({ probability }) => probability !== null)) return undefined;
  const columns = [["share_text", answer.words.share], ["area_text", "mm²"], ["text", make("abbr", { title: "Calibrated probability" }, "Prob.")]];
  const used = columns.filter(([key]) => answer.classes.some((one) => one[key] && one[key] !== "–"));
  const rows = answer.classes.map((one, index) => {
    const check = mapped && make("input", { type: "checkbox", checked: shown[index], "aria-label": `Show ${one.display} on the map` });
    if (check) check.addEventListener("change", () => switched(index, check.checked));
    const name = make(mapped ? "label" : "span", { class: "class-name" }, check, letter(one), make("span", {}, one.display));
    return make(
      "tr",
      { class: one.name === answer.label && "first" },
      make("th", { scope: "row" }, name),
      ...used.map(([key]) => make("td", {}, one[key].replace(" mm²", ""))),
    );
  });
  const head = make("tr", {}, make("th", { scope: "col" }, "Class"), ...used.map(([, title]) => make("th", { scope: "col" }, title)));
  return box(
    "Classes",
    make("div", { class: "wide" }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows))),
    mapped && make("p", { class: "quiet" }, "The switches change what the map shows, not the answer."),
  );
}

/** Files to take away, and the link. */
export function takeBox(answer, job) {
  const files = answer.downloads.map((file) => make("a", { class: "button", href: file.url, download: file.name }, file.title));
  const copy = make("button", { type: "button" }, "Copy the link");
  const link = new URL(job.url, window.location.href).href;
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(link);
      copy.textContent = "Copied";
      say("The link is copied.");
    } catch {
      window.prompt("The link to this result:", link); // a browser that keeps the clipboard to itself
    }
  });
  return box("To take away", make("div", { class: "downloads" }, ...files, copy), make("p", { class: "quiet", id: "until" }, untilWords(job)));
}

/** How long a result is kept yet; known once its whole job has ended. */
export function untilWords(job) {
  if (!job.deleted_in_seconds) return "";
  const minutes = Math.max(1, Math.round(job.deleted_in_seconds / 60));
  return `The link works for ${minutes} min more; then everything is deleted.`;
}

/** Everything below: evidence, explanation, quality, model, details. */
export function moreBoxes(answer, cards, goTo) {
  if (answer.status === "skipped") return []; // no model was asked
  const flags = answer.flags.map((words) => make("p", { class: "note" }, words));
  if (!flags.length && !answer.why) flags.push(make("p", {}, "No flags."));
  const card = cards.find(({ name }) => name === answer.model.name);
  return [
    evidenceBox(answer, goTo),
    answer.explanation && explanationBox(answer),
    box("Quality", facts(answer.counts), ...flags),
    box("Model", cardBody(card ?? answer.model)),
    answer.details.length > 0 &&
      make("section", { class: "card" }, make("details", {}, make("summary", {}, "How it was made"), facts(answer.details))),
  ].filter(Boolean);
}

function evidenceBox(answer, goTo) {
  if (!answer.evidence.length) return undefined;
  const group = (role, title) => {
    const tiles = answer.evidence.filter((tile) => tile.role === role);
    if (!tiles.length) return "";
    const buttons = tiles.map((tile) =>
      make(
        "li",
        {},
        make("button", { type: "button", class: "tile", onclick: () => goTo(tile) }, make("img", { src: tile.picture, alt: "", loading: "lazy" }), make("span", {}, tile.caption), tile.slice !== null && make("small", {}, `Slice ${tile.slice + 1}`)),
      ),
    );
    return make("div", { class: "stack" }, make("h3", {}, title), make("ul", { class: "tiles" }, ...buttons));
  };
  return box("Evidence", group("top", answer.words.top), group("uncertain", answer.words.uncertain));
}
