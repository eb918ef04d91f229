// Giving images: drop or choose, look over the list, options, examples; then off they go.

import { ask, send } from "./api.js";
import { $, fill, make, say, size } from "./dom.js";
import { filesOf } from "./dropped.js";
import { calm, complain, report } from "./errors.js";

let chosen = [];
let limits = {};
let sending;

/** Fill in what the server allows and offers: `models` with those taken by themselves; `begun` hears of each new job. */
export function startIntake(session, models, examples, begun) {
  limits = session.limits;
  $("limits").textContent =
    `Up to ${limits.files} files and ${size(limits.upload_bytes)} at once. Everything is deleted after ${document.body.dataset.kept}.`;
  offerModels(session.model, models);
  $("pick").addEventListener("change", () => {
    add([...$("pick").files]);
    $("pick").value = ""; // so that the same file can be chosen again
  });
  takeDrops();
  $("start").addEventListener("click", () => submit(begun).catch(report));
  fill($("examples"), ...examples.map((example) => exampleCard(example, begun)));
}

function offerModels(preset, { models, auto }) {
  const kinds = [...new Set(models.map(({ judged }) => judged))];
  const groups = kinds.map((kind) => {
    const options = models.filter(({ judged }) => judged === kind).map(({ name }) => make("option", { value: name }, name));
    return make("optgroup", { label: kind.charAt(0).toUpperCase() + kind.slice(1) }, ...options);
  });
  fill($("model"), auto.slide && make("option", { value: "auto" }, "Chosen by what is given"), ...groups);
  $("model").value = preset;
  const about = () => {
    const model = models.find(({ name }) => name === $("model").value);
    $("model-about").textContent = model ? aboutModel(model) : aboutAuto(auto);
  };
  $("model").addEventListener("change", about);
  about();
}

/** What a model is, with the figure that reports lead with: by these two models of a kind differ. */
function aboutModel({ summary, facts: [first] }) {
  return first ? `${summary} ${first[0]}: ${first[1]}.` : summary;
}

function aboutAuto({ series, slide }) {
  if (series === slide) return `All goes to ${slide}.`;
  return `Series go to ${series}, slides to ${slide}; a picture is shown to ${slide} first, and to ${series} where it is no H&E.`;
}

function takeDrops() {
  const drop = $("drop");
  for (const kind of ["dragenter", "dragover"]) drop.addEventListener(kind, () => drop.classList.add("over"));
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
  // A file that misses the box must not replace the page.
  for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());
  window.addEventListener("drop", (event) => filesOf(event.dataTransfer, limits.files).then(addDropped, unreadable));
}

function unreadable() {
  complain("Your browser could not read what was dropped. Choose the files with the button, or give a folder as a ZIP.");
}

function addDropped({ files, more }) {
  add(files);
  if (more) complain(`The folder holds more than ${limits.files} files, and the page takes ${limits.files} at once. None are chosen, as part of a case could get another answer. Give the folder as a ZIP.`);
  else if (!files.length) complain("There is no file in what was dropped.");
}

function add(files) {
  if (sending || !files.length) return;
  calm();
  chosen = [...chosen, ...files];
  say(chosen.length === 1 ? "1 file chosen" : `${chosen.length} files chosen`);
  show();
  $("start").focus();
}

function show() {
  const total = chosen.reduce((sum, file) => sum + file.size, 0);
  const rows = chosen.map((file, index) =>
    make(
      "li",
      {},
      make("span", { class: "name" }, file.name),
      make("span", { class: "quiet" }, size(file.size)),
      make("button", { type: "button", class: "small plain", "aria-label": `Leave out ${file.name}`, onclick: () => leaveOut(index) }, "✕"),
    ),
  );
  fill($("chosen"), ...rows);
  $("chosen").hidden = $("start").hidden = !chosen.length;
  $("start").textContent = `Classify ${chosen.length === 1 ? "1 file" : `${chosen.length} files`}`;
  const many = chosen.length > limits.files;
  if (many) complain(`These are ${chosen.length} files; the page takes ${limits.files} at once. Leave some out.`);
  if (total > limits.upload_bytes) complain(`These files have ${size(total)}; the page takes ${size(limits.upload_bytes)} at once.`);
  $("start").disabled = many || total > limits.upload_bytes;
}

function leaveOut(index) {
  calm();
  chosen.splice(index, 1);
  show();
  if (chosen.length) $("start").focus();
  else $("pick").focus();
}

async function submit(begun) {
  if (sending) {
    sending.stop();
    return;
  }
  calm();
  const typed = $("mpp").value.trim();
  const um = Number(typed.replace(",", "."));
  if (typed && !(um >= 0.05 && um <= 10)) { // as the server says, but only after all has been sent
    complain("The pixel size must be a number from 0.05 to 10 µm (usual: 0.25 at 40x, 0.5 at 20x).");
    $("mpp").focus();
    return;
  }
  const button = $("start");
  const fields = { model: $("model").value, mpp: typed };
  sending = send(chosen, fields, (sent, total) => {
    button.textContent = sent < total ? `Stop sending (${Math.floor((100 * sent) / total)} %)` : "Looking at what was sent";
  });
  button.textContent = "Stop sending (0 %)";
  try {
    const made = await sending.promise;
    if (made) {
      chosen = [];
      begun(made.job);
    }
  } finally {
    sending = undefined;
    show();
  }
}

function exampleCard(example, begun) {
  const start = async (event) => {
    const button = event.currentTarget;
    button.disabled = true;
    calm();
    try {
      begun((await ask(`/api/examples/${example.id}`, "POST")).job);
    } catch (error) {
      report(error);
    } finally {
      button.disabled = false;
    }
  };
  return make(
    "li",
    {},
    make(
      "button",
      { type: "button", class: "example", onclick: start },
      make("img", { src: example.thumbnail, alt: "", loading: "lazy" }),
      make("span", {}, example.title),
      make("small", {}, example.words),
    ),
  );
}
