// The map of classes over a picture. Everything is kept in level-0 pixels and drawn through one
// scale and shift, so that it lies right at every zoom. Colours come with letters and hatching.

const HATCH = 8; // px between the lines of a hatching
const LETTER_EVERY = 150; // px of screen between the letters of one class

/** A pattern of lines: "/" uncertain, "\\" left out, "x" not readable. */
export function hatching(kind, colour) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = HATCH;
  const context = canvas.getContext("2d");
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.beginPath();
  for (const shift of [-HATCH, 0, HATCH]) {
    if (kind !== "\\") {
      context.moveTo(shift, HATCH);
      context.lineTo(shift + HATCH, 0);
    }
    if (kind !== "/") {
      context.moveTo(shift, 0);
      context.lineTo(shift + HATCH, HATCH);
    }
  }
  context.stroke();
  return canvas;
}

/** Tiles of one picture, sorted by what they show. */
export class TileMap {
  /**
   * @param tiles rows of [x, y, width, height, class index or -1, probability, state]
   * @param classes {name, color, ink, letter} in the model's order
   */
  constructor(tiles, classes, uncertainBelow) {
    this.classes = classes;
    this.uncertainBelow = uncertainBelow;
    this.tiles = [];
    this.fills = classes.map(() => new Path2D());
    this.edges = classes.map(() => new Path2D());
    this.hatched = { "/": classes.map(() => new Path2D()), "\\": new Path2D(), x: new Path2D() };
    this.place = new Map();
    this.#add(tiles);
    for (const [x, y, width, height, best, , state] of tiles) {
      if (best >= 0 && state === "used") this.#outline(this.edges[best], best, x, y, width, height);
    }
  }

  /** Add tiles to a map that fills; outlines are drawn of a whole one. */
  grow(tiles) {
    this.#add(tiles);
  }

  #add(tiles) {
    for (const tile of tiles) {
      const [x, y, width, height, best, probability, state] = tile;
      this.place.set(`${x},${y}`, this.tiles.push(tile) - 1);
      if (state === "failed") this.hatched.x.rect(x, y, width, height);
      else if (best < 0 || state !== "used") this.hatched["\\"].rect(x, y, width, height);
      else {
        this.fills[best].rect(x, y, width, height);
        if (probability < this.uncertainBelow) this.hatched["/"][best].rect(x, y, width, height);
      }
    }
  }

  #outline(path, best, x, y, width, height) {
    const sides = [
      [x, y - height, x, y, x + width, y],
      [x, y + height, x, y + height, x + width, y + height],
      [x - width, y, x, y, x, y + height],
      [x + width, y, x + width, y, x + width, y + height],
    ];
    for (const [otherX, otherY, fromX, fromY, toX, toY] of sides) {
      const other = this.tiles[this.place.get(`${otherX},${otherY}`)];
      if (other && other[4] === best && other[6] === "used") continue;
      path.moveTo(fromX, fromY);
      path.lineTo(toX, toY);
    }
  }

  /** The tile under a point of level 0, the last one where tiles overlap. */
  at(x, y) {
    return this.tiles.findLast((t) => x >= t[0] && y >= t[1] && x < t[0] + t[2] && y < t[1] + t[3]);
  }

  /** Draw onto a canvas's context; `view` is {scale, x, y} in device pixels. */
  draw(context, view, look) {
    const { scale } = view;
    const lines = new DOMMatrix([look.ratio / scale, 0, 0, look.ratio / scale, 0, 0]);
    const pattern = (kind, colour) => {
      const made = context.createPattern(hatching(kind, colour), "repeat");
      made.setTransform(lines);
      return made;
    };
    context.setTransform(scale, 0, 0, scale, view.x, view.y);
    this.classes.forEach(({ color }, index) => {
      if (!look.shown[index]) return;
      context.globalAlpha = look.opacity;
      context.fillStyle = color;
      context.fill(this.fills[index]);
      context.globalAlpha = Math.min(1, look.opacity * 1.4);
      context.fillStyle = pattern("/", "#ffffff");
      context.fill(this.hatched["/"][index]);
      context.globalAlpha = 1;
      context.strokeStyle = color;
      context.lineWidth = (2 * look.ratio) / scale;
      context.stroke(this.edges[index]);
    });
    context.globalAlpha = 0.7;
    for (const kind of ["\\", "x"]) {
      context.fillStyle = pattern(kind, "#3b4350");
      context.fill(this.hatched[kind]);
    }
    context.globalAlpha = 1;
    this.#letters(context, view, look);
  }

  #letters(context, { scale, x: shiftX, y: shiftY }, { shown, ratio, width, height }) {
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.font = `bold ${13 * ratio}px sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    const drawn = new Set();
    for (const [x, y, w, h, best, , state] of this.tiles) {
      if (best < 0 || state !== "used" || !shown[best]) continue;
      const [left, top] = [x * scale + shiftX + (w * scale) / 2, y * scale + shiftY + (h * scale) / 2];
      if (left < 0 || top < 0 || left > width || top > height || w * scale < 6 * ratio) continue;
      const cell = LETTER_EVERY * ratio;
      const spot = `${best},${Math.floor(left / cell)},${Math.floor(top / cell)}`;
      if (drawn.has(spot)) continue;
      drawn.add(spot);
      const { color, ink, letter } = this.classes[best];
      context.fillStyle = color;
      context.fillRect(left - 9 * ratio, top - 9 * ratio, 18 * ratio, 18 * ratio);
      context.fillStyle = ink;
      context.fillText(letter, left, top + ratio);
    }
  }
}
