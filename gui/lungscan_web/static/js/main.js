// The page's beginning: asks what there is, then joins giving, queue, picture and answer.

import { ask } from "./api.js";
import { classesBox, moreBoxes, outputBox, pendingBox, refusedBox, takeBox, untilWords } from "./answer.js";
import { cardBody } from "./card.js";
import { $, box, fill, make } from "./dom.js";
import { report } from "./errors.js";
import { startIntake } from "./intake.js";
import { takeKeys } from "./keys.js";
import { hatching } from "./map.js";
import { fillingMap, legend, Picture } from "./picture.js";
import { BUSY, Queue } from "./queue.js";
import { Viewer } from "./viewer.js";

const viewer = new Viewer();
const picture = new Picture(viewer);
const queue = new Queue((job, n, chosen) => show(job, n, chosen).catch(report));
let cards = [];
let shown; // "job/n/…" of what stands there, so that nothing is drawn twice

async function show(job, n, chosen) {
  document.body.dataset.state = queue.jobs.size ? "work" : "empty";
  if (!job) {
    shown = undefined;
    picture.clear();
    fill($("answer"));
    fill($("more"));
    window.history.replaceState(null, "", "/");
    return;
  }
  if (chosen) window.history.replaceState(null, "", job.url);
  const one = job.cases.find((each) => each.n === n);
  if (one?.why) {
    shown = undefined;
    picture.clear();
    fill($("answer"), refusedBox(one));
    fill($("more"));
    return;
  }
  if (one?.state !== "ended") {
    if (chosen) fill($("more"));
    shown = undefined;
    fill($("answer"), pendingBox(job, n));
    if (!job.cases.length) return;
    offerMap(one?.kind === "slide");
    await picture.show(job, n);
    if (one?.state === "running" && one.kind === "slide") await picture.fill(job, n);
    return;
  }
  const key = `${job.job}/${n}`;
  if (shown === key) {
    if ($("until")) $("until").textContent = untilWords(job);
    return;
  }
  shown = key;
  const answer = await ask(`/api/jobs/${key.replace("/", "/cases/")}`);
  if (shown === key) draw(job, n, answer);
}

function draw(job, n, answer) {
  if (viewer.look.shown.length !== answer.classes.length) viewer.setLook({ shown: answer.classes.map(() => true) });
  const switched = (index, on) => viewer.setLook({ shown: viewer.look.shown.map((was, i) => (i === index ? on : was)) });
  const mapped = answer.downloads.some(({ name }) => name === "tiles.csv") && answer.kind !== "series";
  const held = [$("answer"), $("more")].some((part) => part.contains(document.activeElement));
  fill($("answer"), outputBox(answer), classesBox(answer, mapped, viewer.look.shown, switched), takeBox(answer, job));
  const map = mapped && box("Map", make("p", { class: "quiet" }, "Colours and letters as in the table of classes."), legend(hatching));
  fill($("more"), ...(map ? [map] : []), ...moreBoxes(answer, cards, (tile) => picture.goTo(tile).catch(report)));
  if (held) $("answer").focus(); // what had it is gone
  offerMap(mapped);
  picture.show(job, n, answer).catch(report);
}

function offerMap(there) {
  for (const element of [$("opacity-row"), document.querySelector('[data-do="map"]')]) element.hidden = !there;
}

function toggleMap() {
  const button = document.querySelector('[data-do="map"]');
  viewer.setLook({ on: !viewer.look.on });
  button.setAttribute("aria-pressed", viewer.look.on);
}

const DEEDS = {
  fit: () => viewer.fit(),
  in: () => viewer.zoomBy(1.5),
  out: () => viewer.zoomBy(1 / 1.5),
  map: toggleMap,
  keys: () => $("keys").showModal(),
  "close-keys": () => $("keys").close(),
  next: () => queue.step(1),
  previous: () => queue.step(-1),
  "next-slice": () => picture.step(1),
  "previous-slice": () => picture.step(-1),
};

function begun(job) {
  document.body.dataset.state = "work";
  $("queue-head").focus();
  queue.add(job, { choose: true }).catch(report);
}

function keptJob(job) {
  const words = job.cases.slice(0, 3).map(({ name, headline }) => `${name}: ${headline || "not finished"}`);
  const more = job.cases.length > 3 ? ` and ${job.cases.length - 3} more` : "";
  return make("li", {}, make("a", { href: job.url }, (words.join("; ") || job.names.join(", ")) + more));
}

async function start() {
  document.addEventListener("click", (event) => DEEDS[event.target.closest("[data-do]")?.dataset.do]?.());
  takeKeys((name) => DEEDS[name]());
  picture.begins = (classes) => fill($("more"), fillingMap(classes, hatching));
  $("opacity").addEventListener("input", () => viewer.setLook({ opacity: $("opacity").value / 100 }));
  const [session, models, examples, jobs] = await Promise.all(
    ["/api/session", "/api/models", "/api/examples", "/api/jobs"].map((url) => ask(url)),
  );
  cards = models.models;
  startIntake(session, models, examples.examples, begun);
  fill($("cards"), ...cards.map((card) => cardBody(card, { brief: true })));
  const linked = document.body.dataset.job;
  const busy = jobs.jobs.some(({ state }) => BUSY.includes(state)); // such jobs are watched from every page
  for (const job of [...jobs.jobs].reverse()) if ((linked || busy) && job.job !== linked) await queue.add(job.job);
  if (busy) document.body.dataset.state = "work";
  if (linked) await queue.add(linked, { choose: true });
  fill($("kept-jobs"), ...jobs.jobs.map(keptJob));
  $("kept").hidden = !jobs.jobs.length;
  document.body.dataset.ready = "yes";
}

start().catch(report);
