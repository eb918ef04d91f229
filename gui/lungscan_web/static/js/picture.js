// What stands in the viewer for a case: a file of it, its map, or the slices of a series.

import { ask, table } from "./api.js";
import { $, box, fill, make } from "./dom.js";
import { ink, letter } from "./answer.js";

const OPENING = "Opening the picture";
const UNCERTAIN_BELOW = 0.6; // as in the reports: below it a tile is striped
const LEGEND = [["/", "Uncertain (best class below 0.60)"], ["\\", "Left out (focus, pen, blank, unlike lung)"], ["x", "Not readable"]];

export class Picture {
  constructor(viewer) {
    this.viewer = viewer;
    this.key = undefined;
    $("files").addEventListener("change", () => this.#file(Number($("files").value)));
    $("slice").addEventListener("input", () => this.#slice());
    viewer.under = (spot) => this.#under(spot);
    this.begins = () => {}; // hears of the classes of a map that fills
  }

  /** Show the picture of a case, with the map as soon as there is an answer. */
  async show(job, n, answer) {
    const key = `${job.job}/${n}/${answer ? "answer" : ""}`;
    if (key === this.key) return;
    const same = this.key?.startsWith(`${job.job}/${n}/`);
    this.key = key;
    this.answer = answer;
    this.case = `/api/jobs/${job.job}/cases/${n}`;
    if (!same) this.#empty();
    const kind = answer?.kind ?? job.cases.find((one) => one.n === n)?.kind;
    if (kind === "series") return this.#series(key, answer);
    if (!same || !this.viewer.picture) await this.#zoom(key, 0);
    if (answer && this.key === key) await this.#map(key, 0);
    return undefined;
  }

  /** A state of the job has come: go on with the map of the slide that is shown, while it fills. */
  async fill(job, n) {
    const key = `${job.job}/${n}/`;
    if (this.key !== key || this.filling || !this.viewer.picture || !job.tiles_done) return;
    this.filling = true;
    try {
      const begin = this.filled?.key === key ? this.filled.next : 0;
      const piece = await ask(`${this.case}/map?begin=${begin}`);
      if (this.key !== key) return;
      if (piece.classes) {
        this.viewer.setMap([], withInk(piece.classes), UNCERTAIN_BELOW);
        this.begins(piece.classes);
      }
      this.viewer.growMap(piece.tiles);
      this.filled = { key, next: piece.next };
    } catch {
      // nothing is scored yet, or the answer has come, which brings its own map
    } finally {
      this.filling = false;
    }
  }

  /** Nothing to show. */
  clear() {
    this.key = undefined;
    this.#empty();
    $("view").hidden = true;
  }

  /** Look at a tile. */
  async goTo(tile) {
    if (this.series) return void this.#toSlice(tile.slice);
    if (tile.file !== this.file) await this.#file(tile.file);
    return this.viewer.goTo(tile.box);
  }

  /** One slice on or back. */
  step(by) {
    if ($("series").hidden) return;
    $("slice").value = Number($("slice").value) + by;
    this.#slice();
  }

  #empty() {
    this.viewer.close();
    this.filled = undefined;
    this.series = undefined;
    this.file = 0;
    $("series").hidden = $("files-row").hidden = true;
    $("under").textContent = $("zoom").textContent = "";
  }

  async #file(file) {
    await this.#zoom(this.key, file);
    if (this.answer) await this.#map(this.key, file);
  }

  async #zoom(key, file) {
    const found = this.answer?.files ?? [];
    if (this.answer && !found[file]?.zoom) return void ($("view").hidden = !found[file]);
    let zoom;
    $("wait").textContent = OPENING;
    try {
      zoom = await ask(found[file]?.zoom ?? `${this.case}/zoom/${file}`);
    } catch {
      if (this.key === key) $("wait").textContent = "";
      return; // before the answer the file may not be known yet; after it the answer says why
    }
    if (this.key !== key) return;
    this.file = file;
    $("view").hidden = false;
    $("files-row").hidden = found.length < 2;
    fill($("files"), ...found.map(({ name }, index) => make("option", { value: index, selected: index === file }, name)));
    await this.viewer.open({
      width: zoom.width,
      height: zoom.height,
      tile: zoom.tile_size,
      minLevel: zoom.min_level,
      maxLevel: zoom.max_level,
      mpp: zoom.mpp_um,
      url: (level, x, y) => `${zoom.tiles}${level}/${x}_${y}.jpg`,
    }, { late: zoom.whole_comes_late });
  }

  async #map(key, file) {
    const source = this.answer.downloads.find(({ name }) => name === "tiles.csv");
    const { classes } = this.answer;
    if (!source || !classes.length) return;
    const rows = await table(source.url);
    if (this.key !== key) return;
    const name = this.answer.files[file]?.name;
    const tiles = rows.filter((row) => row.file === undefined || row.file === name).map((row) => tile(row, classes));
    this.viewer.setMap(tiles, withInk(classes), UNCERTAIN_BELOW);
  }

  async #series(key, answer) {
    let series;
    $("wait").textContent = OPENING;
    try {
      series = await ask(answer?.files[0]?.series ?? `${this.case}/series/0`);
    } catch {
      if (this.key === key) $("wait").textContent = "";
      return; // before the answer the series may not be known yet; after it the answer says why
    }
    if (this.key !== key) return;
    const begun = this.series === undefined;
    this.series = series;
    $("view").hidden = $("series").hidden = false;
    $("slice").max = series.count;
    if (begun || answer) $("slice").value = (series.marked[0]?.slice ?? Math.floor(series.count / 2)) + 1;
    const { level, width } = series.window;
    $("window").textContent = `Window: level ${level} HU, width ${width} HU`;
    const buttons = series.marked.map(({ slice, caption }) =>
      make("button", { type: "button", class: "small", onclick: () => this.#toSlice(slice) }, `${slice + 1}: ${caption}`),
    );
    fill($("marked"), buttons.length > 0 && "Evidence: ", ...buttons);
    await this.#slice(false);
  }

  #toSlice(index) {
    $("slice").value = index + 1;
    this.#slice();
  }

  async #slice(keep = true) {
    const { count, side_px: side, slices, positions_mm: positions } = this.series;
    const index = Number($("slice").value) - 1;
    const place = positions ? `, ${positions[index].toFixed(1)} mm` : "";
    $("slice-of").textContent = `${index + 1} of ${count}${place}`;
    $("slice").setAttribute("aria-valuetext", $("slice-of").textContent);
    const level = Math.ceil(Math.log2(side));
    const picture = { width: side, height: side, tile: 2 ** level, minLevel: level, maxLevel: level };
    await this.viewer.open({ ...picture, url: () => `${slices}${index}.png` }, { keep });
    for (const next of [index + 1, index - 1]) {
      if (next >= 0 && next < count) new Image().src = `${slices}${next}.png`; // asked for ahead
    }
  }

  #under(spot) {
    if (!spot) return void ($("under").textContent = "");
    const { x, y, tile } = spot;
    const one = tile && tile[4] >= 0 ? this.viewer.map.classes[tile[4]] : undefined;
    const what = one && tile[6] === "used" ? `, ${one.display} ${tile[5].toFixed(2)}` : "";
    return void ($("under").textContent = `x ${x}, y ${y}${what}`);
  }
}

function withInk(classes) {
  return classes.map((one) => ({ ...one, ink: ink(one.color) }));
}

/** A row of `tiles.csv` as the map takes it. */
function tile(row, classes) {
  const probabilities = classes.map(({ name }) => parseFloat(row[`prob_${name}`]));
  const most = Math.max(...probabilities);
  const box = [row.minx, row.miny, row.width, row.height].map(Number);
  return [...box, probabilities.indexOf(most), most, row.state];
}

/** What the hatchings mean. */
export function legend(hatching) {
  const rows = LEGEND.map(([kind, words]) => {
    const canvas = make("canvas", { width: 20, height: 20, "aria-hidden": true });
    const context = canvas.getContext("2d");
    context.fillStyle = "#ffffff";
    context.fillRect(0, 0, 20, 20);
    context.fillStyle = context.createPattern(hatching(kind, "#3b4350"), "repeat");
    context.fillRect(0, 0, 20, 20);
    return make("li", {}, canvas, make("span", {}, words));
  });
  return make("ul", { class: "legend" }, ...rows);
}

/** What stands below a map that fills. */
export function fillingMap(classes, hatching) {
  return box(
    "Map",
    make("p", {}, "The map fills while tiles are looked at. What is clear holds no tissue, or has not been looked at yet."),
    make("ul", { class: "legend" }, ...classes.map((one) => make("li", {}, letter(one), make("span", {}, one.display)))),
    legend(hatching),
  );
}
