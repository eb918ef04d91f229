// The picture: OpenSeadragon for zoom and shift, and the map of classes as a canvas above it.

import { $ } from "./dom.js";
import { TileMap } from "./map.js";

const LOADING = "Loading the picture";
const LATE = "This slide holds no small picture of itself. Its middle is shown until one is made.";

let library;

/** OpenSeadragon, loaded with the first picture. */
function load() {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = "/static/openseadragon/openseadragon.min.js";
    script.onload = () => resolve(window.OpenSeadragon);
    script.onerror = () => reject(new Error("The viewer could not be loaded."));
    document.head.append(script);
  });
  return library;
}

/** OpenSeadragon adds a style sheet, which the page's policy forbids, unless it finds it; the rule is in page.css. */
function keepStyleOut() {
  const found = document.createElementNS("urn:lungscan", "style"); // found, but no style sheet
  found.setAttribute("data-openseadragon-mobile-css", "true");
  document.head.append(found);
}

/** How large text is here: letters and lines on the picture grow with it. */
function textScale() {
  return parseFloat(getComputedStyle(document.documentElement).fontSize) / 15;
}

export class Viewer {
  constructor() {
    this.look = { opacity: 0.4, shown: [], on: true };
    this.number = 0;
    this.under = () => {};
  }

  /**
   * Show a picture: {width, height, tile, level, levels, url(level, x, y), mpp}.
   * With `keep` the place that is looked at stays, as between slices of a series. With `late` the
   * whole takes long to come: the middle is shown until it does.
   */
  async open(picture, { keep = false, late = false } = {}) {
    const number = (this.number += 1);
    $("wait").textContent = LOADING;
    const OpenSeadragon = await load();
    if (number !== this.number) return;
    this.osd ??= this.#start(OpenSeadragon);
    const bounds = keep && this.picture ? this.osd.viewport.getBounds() : undefined;
    this.picture = picture;
    this.map = undefined;
    this.late = false;
    this.osd.addOnceHandler("open", () => {
      $("wait").textContent = LOADING;
      if (bounds) this.osd.viewport.fitBounds(bounds, true);
      if (late) this.#middleFirst(picture, number);
    });
    this.osd.open({
      width: picture.width,
      height: picture.height,
      tileSize: picture.tile,
      tileOverlap: 0,
      minLevel: picture.minLevel,
      maxLevel: picture.maxLevel,
      getTileUrl: picture.url,
    });
  }

  /** Take the picture away. */
  close() {
    this.number += 1;
    this.late = false;
    this.osd?.close();
    this.picture = this.map = undefined;
    $("wait").textContent = "";
    this.#draw();
  }

  /** Lay a map over the picture; see TileMap for the rows. */
  setMap(tiles, classes, uncertainBelow) {
    this.map = new TileMap(tiles, classes, uncertainBelow);
    if (this.look.shown.length !== classes.length) this.look.shown = classes.map(() => true);
    this.#draw();
  }

  /** Add tiles to the map that fills. */
  growMap(tiles) {
    this.map.grow(tiles);
    this.#draw();
  }

  /** Change what the map shows. */
  setLook(change) {
    Object.assign(this.look, change);
    this.#draw();
  }

  zoomBy(factor) {
    this.osd?.viewport.zoomBy(factor);
    this.osd?.viewport.applyConstraints();
  }

  /** Look at a box of level 0, with some of what lies around it. */
  goTo([x, y, width, height]) {
    const item = this.osd?.world.getItemAt(0);
    if (!item) return;
    const around = new window.OpenSeadragon.Rect(x - width, y - height, width * 3, height * 3);
    this.osd.viewport.fitBounds(item.imageToViewportRectangle(around));
  }

  fit() {
    this.osd?.viewport.goHome();
  }

  /** Look at the middle at full size, and at all of it once that has come. */
  #middleFirst({ minLevel, url }, number) {
    const { viewport } = this.osd;
    viewport.zoomTo(viewport.imageToViewportZoom(1), undefined, true);
    this.late = true;
    $("wait").textContent = LATE;
    const whole = new Image();
    const end = (here) => {
      if (number !== this.number) return;
      this.late = false;
      $("wait").textContent = "";
      if (here) this.fit();
    };
    whole.onload = () => end(true);
    whole.onerror = () => end(false);
    whole.src = url(minLevel, 0, 0);
  }

  #start(OpenSeadragon) {
    keepStyleOut();
    const osd = new OpenSeadragon.Viewer({
      element: $("osd"),
      drawer: "canvas",
      showNavigationControl: false,
      showNavigator: true,
      navigatorPosition: "TOP_RIGHT",
      navigatorSizeRatio: 0.16,
      navigatorBackground: "transparent",
      navigatorDisplayRegionColor: "#2360a5",
      maxZoomPixelRatio: 4,
      visibilityRatio: 0.3,
      animationTime: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 0.4,
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
      imageLoaderLimit: 4,
      timeout: 60000,
    });
    osd.canvas.setAttribute("role", "application");
    osd.canvas.setAttribute("aria-label", "Picture");
    osd.canvas.setAttribute("aria-describedby", "view-help");
    osd.addHandler("canvas-key", (event) => {
      // F and R mean other things here than to mirror and to turn.
      if (["KeyF", "KeyR"].includes(event.originalEvent.code)) event.preventDefaultAction = true;
    });
    osd.addHandler("tile-drawn", () => {
      if (!this.late) $("wait").textContent = "";
    });
    osd.addHandler("open-failed", () => ($("wait").textContent = "The picture cannot be shown."));
    osd.addHandler("tile-load-failed", () => {
      if ($("wait").textContent) $("wait").textContent = "The picture cannot be shown.";
    });
    for (const event of ["update-viewport", "open", "resize"]) osd.addHandler(event, () => this.#draw());
    osd.container.addEventListener("pointermove", (event) => this.#point(event));
    osd.container.addEventListener("pointerleave", () => this.under(undefined));
    return osd;
  }

  #point(event) {
    const item = this.osd.world.getItemAt(0);
    if (!item) return;
    const box = this.osd.container.getBoundingClientRect();
    const pixel = new window.OpenSeadragon.Point(event.clientX - box.left, event.clientY - box.top);
    const { x, y } = item.viewerElementToImageCoordinates(pixel);
    this.under({ x: Math.floor(x), y: Math.floor(y), tile: this.map?.at(x, y) });
  }

  #draw() {
    const canvas = $("map");
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    const context = canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    const item = this.osd?.world.getItemAt(0);
    canvas.dataset.drawn = "";
    canvas.dataset.tiles = this.map?.tiles.length ?? "";
    if (!item || !this.picture) return this.#scale(undefined);
    const { Point } = window.OpenSeadragon;
    const origin = item.imageToViewerElementCoordinates(new Point(0, 0));
    const far = item.imageToViewerElementCoordinates(new Point(this.picture.width, 0));
    const scale = (far.x - origin.x) / this.picture.width; // screen pixels per level-0 pixel
    this.#scale(scale);
    if (!this.map || !this.look.on) return undefined;
    canvas.dataset.drawn = this.look.shown.filter(Boolean).length;
    const view = { scale: scale * ratio, x: origin.x * ratio, y: origin.y * ratio };
    return this.map.draw(context, view, { ...this.look, ratio: ratio * textScale(), width, height });
  }

  #scale(scale) {
    const bar = $("scalebar");
    const mpp = this.picture?.mpp;
    bar.hidden = !scale;
    if (!scale) return;
    $("zoom").textContent = mpp ? `${(10 / (mpp / scale)).toPrecision(2)}x` : `${Math.round(scale * 100)} %`;
    bar.hidden = !mpp;
    if (!mpp) return;
    const most = (mpp / scale) * 140 * textScale();
    const unit = 10 ** Math.floor(Math.log10(most));
    const length = [5, 2, 1].find((n) => n * unit <= most) * unit;
    bar.textContent = length >= 1000 ? `${length / 1000} mm` : `${length} µm`;
    bar.style.setProperty("--length", `${Math.round((length * scale) / mpp)}px`);
  }
}
