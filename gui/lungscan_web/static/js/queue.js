// The jobs of this visitor and their cases: what waits, how fast it goes, how long yet, cancel.

import { ask, watch } from "./api.js";
import { $, fill, make, say } from "./dom.js";
import { complain, report } from "./errors.js";

export const BUSY = ["waiting", "starting", "running"];
const SIGNS = { waiting: "·", running: "▸", ok: "✓", no_result: "–", partial: "◐", failed: "✕", skipped: "–", cancelled: "✕" };
const WORDS = { waiting: "Waits", running: "Being looked at", cancelled: "Cancelled" };
const FEW = 3; // files left out; more are folded away
const POLL_MS = 2000; // of jobs beside the one that is watched: a browser keeps few connections open

export class Queue {
  /** `chosen` hears of the job and the number of the case that is to be shown. */
  constructor(chosen) {
    this.jobs = new Map();
    this.current = undefined; // "job/n"
    this.chosen = chosen;
    this.watched = undefined;
    this.unfolded = new Set(); // jobs whose files left out are shown
    window.setInterval(() => this.#poll(), POLL_MS);
  }

  /** Take a job in; the newest stands first. */
  async add(id, { choose = false } = {}) {
    const state = await ask(`/api/jobs/${id}`);
    const unheard = { ...state, state: "waiting", words: "", cases: [] };
    this.jobs = new Map([[id, choose ? unheard : state], ...this.jobs]);
    this.take(state);
    if (choose) this.choose(id, 1);
    if (BUSY.includes(state.state) && (choose || !this.watched)) this.#watch(id);
  }

  /** What the server says of a job now. */
  take(state) {
    const before = this.jobs.get(state.job);
    if (!before) return;
    this.jobs.set(state.job, state);
    this.#tell(before, state);
    if (state.state === "failed" && before.state !== "failed") complain(state.message);
    this.#show();
    if (this.current?.startsWith(`${state.job}/`)) this.chosen(state, this.#number(), false);
  }

  /** Show a case. */
  choose(job, n) {
    this.current = `${job}/${n}`;
    this.#show();
    this.chosen(this.jobs.get(job), n, true);
  }

  /** The next case (1) or the one before (-1). */
  step(by) {
    const all = [...this.jobs.values()].flatMap((job) => job.cases.map(({ n }) => [job.job, n]));
    const at = all.findIndex(([job, n]) => `${job}/${n}` === this.current);
    const next = all[at + by];
    if (!next) return;
    this.choose(...next);
    const one = this.jobs.get(next[0]).cases.find(({ n }) => n === next[1]);
    say([one.name, one.headline || WORDS[one.state], one.confidence_text].filter(Boolean).join(" "));
  }

  #number() {
    return Number(this.current.split("/")[1]);
  }

  /** What has ended, for a screen reader; else how far it is. No answer is talked over. */
  #tell(before, state) {
    const ended = ({ n }) => before.cases.find((one) => one.n === n)?.state === "ended";
    const fresh = state.cases.filter((one) => one.state === "ended" && one.status !== "skipped" && !ended(one));
    if (fresh.length) this.told = fresh.map((one) => `${one.name}: ${one.headline} ${one.confidence_text}`.trim()).join(". ");
    const looked = state.cases.length - skipped(state).length;
    const over = state.state === "finished" && before.state !== "finished" && looked > 1;
    if (over) say(`${this.told}. All ${looked} cases are done.`);
    else if (fresh.length) say(this.told);
    else if (BUSY.includes(state.state) && state.words && state.words !== before.words) this.#announce(state.words);
  }

  #announce(words) {
    const now = Date.now();
    if (now - (this.said ?? 0) < 5000) return; // a screen reader must not be flooded
    this.said = now;
    say(words);
  }

  /** Watch another job, now that one is over: whoever watches one watches all of their own. */
  #follow() {
    this.watched = undefined;
    const next = [...this.jobs.values()].find(({ state }) => BUSY.includes(state));
    if (next) this.#watch(next.job);
  }

  #watch(id) {
    this.leave?.();
    this.watched = id;
    let lost;
    const onState = (state) => {
      window.clearTimeout(lost);
      lost = undefined;
      this.take(state);
      if (!BUSY.includes(state.state)) this.#follow();
    };
    const onLost = (closed) => {
      if (closed) this.watched = undefined;
      lost ??= window.setTimeout(() => {
        if (this.watched === id) complain("The connection to the server is lost. The page goes on trying.");
      }, 4000);
    };
    this.leave = watch(id, onState, onLost, () => {
      if (this.watched === id) this.#follow();
    });
  }

  #poll() {
    for (const [id, state] of this.jobs) {
      if (id === this.watched || !BUSY.includes(state.state)) continue;
      ask(`/api/jobs/${id}`).then((now) => this.take(now), (error) => this.#gone(id, error));
    }
  }

  /** The server no longer knows a job: it was started anew, or the job was deleted elsewhere. */
  #gone(id, error) {
    const state = this.jobs.get(id);
    if (![401, 404].includes(error.status) || !BUSY.includes(state?.state)) return; // the others are asked again
    this.take({ ...state, state: "failed", message: error.message, mine: false, downloads: [] });
    if (!this.watched) this.#follow();
  }

  #show() {
    const held = document.activeElement?.dataset?.key;
    fill($("queue"), ...[...this.jobs.values()].map((state) => this.#group(state)));
    if (held) $("queue").querySelector(`[data-key="${held}"]`)?.focus();
  }

  #group(state) {
    const busy = BUSY.includes(state.state);
    const out = skipped(state).length > FEW ? skipped(state) : [];
    const rows = state.cases.length
      ? state.cases.filter((one) => !out.includes(one)).map((one) => this.#row(state, one))
      : state.names.map((name) => make("li", { class: "case" }, make("span", { class: "sign", "aria-hidden": true }, "·"), make("span", { class: "name" }, name)));
    const pace = `${state.words} ${[state.rate_text, state.left_text].filter(Boolean).join(", ")}`;
    return make(
      "div",
      { class: "job stack", "data-state": state.state },
      busy && make("progress", { max: Math.max(state.total, 1), value: share(state), "aria-label": "Progress" }),
      make(
        "div",
        { class: "row apart" },
        make("p", { class: "quiet pace" }, busy ? pace : ended(state)),
        state.mine && busy && this.#button(state, "Cancel", () => this.#cancel(state)),
        state.mine && !busy && this.#button(state, "Delete", () => this.#delete(state)),
      ),
      make("ul", {}, ...rows),
      out.length > 0 && this.#folded(state, out),
      state.notices.length > 0 && make("div", { class: "note" }, ...state.notices.map((words) => make("p", {}, words))),
      state.downloads.length > 0 && state.cases.length > 1 &&
        make("div", { class: "row" }, ...state.downloads.map((file) => make("a", { class: "button small", href: file.url, download: file.name }, file.title))),
    );
  }

  #button(state, words, onclick) {
    return make("button", { type: "button", class: "small", "data-key": `${words}-${state.job}`, onclick }, words);
  }

  /** Many files that are no images, as an archive from a hospital's CD holds them. */
  #folded(state, out) {
    const open = this.unfolded.has(state.job) || out.some(({ n }) => `${state.job}/${n}` === this.current);
    const toggled = (event) => this.unfolded[event.target.open ? "add" : "delete"](state.job);
    const summary = make("summary", { "data-key": `out-${state.job}` }, `${out.length} files skipped`);
    return make("details", { open, ontoggle: toggled }, summary, make("ul", {}, ...out.map((one) => this.#row(state, one))));
  }

  #row(state, one) {
    const key = `${state.job}/${one.n}`;
    const cancelled = one.state !== "ended" && !BUSY.includes(state.state);
    const kind = cancelled ? "cancelled" : one.state === "ended" ? one.status : one.state;
    const running = one.state === "running" && !cancelled && state.tiles_total > 0;
    const said = one.state === "ended" ? [one.headline, one.confidence_text].filter(Boolean).join(" ") : WORDS[kind];
    return make(
      "li",
      {},
      make(
        "button",
        {
          type: "button", class: "case plain", "data-key": key, "data-status": kind,
          "aria-current": key === this.current ? "true" : undefined,
          onclick: () => this.choose(state.job, one.n),
        },
        make("span", { class: "sign", "aria-hidden": true }, SIGNS[kind] ?? "·"),
        make("span", { class: "name" }, one.name),
        make("span", { class: "said" }, said),
        running && make("progress", { max: state.tiles_total, value: state.tiles_done, "aria-label": one.kind === "series" ? "Slices looked at" : "Tiles looked at" }),
      ),
    );
  }

  async #cancel(state) {
    try {
      this.take(await ask(`/api/jobs/${state.job}/cancel`, "POST"));
      say("Cancelled");
    } catch (error) {
      report(error);
    }
  }

  async #delete(state) {
    try {
      await ask(`/api/jobs/${state.job}`, "DELETE");
      this.jobs.delete(state.job);
      if (this.current?.startsWith(`${state.job}/`)) {
        this.current = undefined;
        this.chosen(undefined, 0, true);
      }
      this.#show();
      $("queue-head").focus();
      say("Deleted");
    } catch (error) {
      report(error);
    }
  }
}

function share(state) {
  const part = state.tiles_total ? state.tiles_done / state.tiles_total : 0;
  return Math.min(state.done + part, Math.max(state.total, 1));
}

function ended(state) {
  if (state.state === "cancelled") return "Cancelled";
  if (state.state === "failed") return state.message;
  if (state.cases.length === 1) return state.words;
  const out = skipped(state).length;
  return [counted(state.cases.length - out, "case"), out > 0 && `${counted(out, "file")} skipped`].filter(Boolean).join(", ");
}

/** What a run left out: no image, as far as can be told. */
function skipped(state) {
  return state.cases.filter(({ status }) => status === "skipped");
}

function counted(number, word) {
  return `${number} ${word}${number === 1 ? "" : "s"}`;
}
