// The notes of the take that is heard: a row for each class of instruments, or for each player,
// with bars, sections, chords, and the cuts with their hits. Here a stretch of bars is marked.

import { clock, words } from "./clock.js";
import { button, make, say } from "./dom.js";
import { follow } from "./gesture.js";
import { onKeys } from "./keys.js";
import { Lane, tell } from "./lane.js";
import { cleared, colours } from "./paint.js";
import { scale } from "./scale.js";
import { store } from "./store.js";
import { barWords, snapped, summaryOf, takeOf, titleOf } from "./take.js";
import { capital, pitchName, printed } from "./words.js";

const CLASSES = ["drums", "bass", "guitar", "piano", "strings"];
const SECTIONS = 18; // pixels of the band of sections
const CHORDS = 16;
const HEAD = SECTIONS + CHORDS + 4;
const FOOT = 14; // of the numbers of bars
const ROW = 42;
const PLAYER = 30;
const EDGE = 3; // pixels that stay free above and below the notes of a row
const THICK = 5; // pixels of a note at most
const STRENGTHS = [0.38, 0.58, 0.78, 1]; // how strongly notes are drawn, by velocity
const AT = 0.03; // seconds between a cut and the note that hits it
const FONT = "11px system-ui, sans-serif";

class Roll extends Lane {
  static title = "Notes";
  static shows = "heard takes range film";

  build() {
    this.take = null;
    this.tall = false;
    this.at = null; // the number of the note that has the focus
    this.back = make("canvas", { class: "roll-notes", tabIndex: 0, role: "application",
      "aria-roledescription": "notes" });
    this.front = make("canvas", { class: "roll-now", "aria-hidden": "true" });
    this.spot = make("div", { class: "roll-spot", "aria-hidden": "true" });
    this.live = make("p", { class: "only-heard", "aria-live": "polite" });
    this.empty = make("p", { class: "empty" });
    this.stage.append(this.back, this.front, this.spot, this.live, this.empty);
    this.names = make("div", { class: "roll-names" });
    this.previousElementSibling?.append(this.names);
    this.toggle = button("A row for each player", () => this.grow(),
      { icon: "tall", kind: "quiet small", "aria-pressed": "false" });
    this.tools.append(this.toggle);
    this.listen();
    store.on("heard takes", () => this.fetch());
    store.on("range", () => this.told());
    clock.on(() => this.now());
    addEventListener("theme", () => this.soon());
  }

  async fetch() {
    const id = store.heard;
    if (!id || !summaryOf(id)) return this.open(null);
    try {
      const take = await takeOf(id);
      if (store.heard === id && this.take !== take) this.open(take);
    } catch (error) {
      if (store.heard === id) this.open(null, error.message);
    }
    return undefined;
  }

  open(take, trouble = "") {
    this.take = take;
    this.at = null;
    this.score = take && laid(take, this.tall);
    this.stage.style.height = take ? `${this.score.height}px` : "";
    const nothing = store.takes.length ? ""
      : "The notes of a piece appear here, once one is composed.";
    say(this.empty, trouble || nothing);
    this.back.hidden = this.front.hidden = !take;
    this.toggle.hidden = !take;
    this.names.replaceChildren(...(take ? this.score.rows.map(nameOfRow) : []));
    this.names.classList.toggle("tall", this.tall);
    if (take) {
      const summary = summaryOf(take.id);
      this.back.setAttribute("aria-label", `Notes of ${summary ? titleOf(summary) : "the piece"}: `
        + `${take.columns.start.length} by ${this.score.rows.map((row) => row.name).join(", ")}. `
        + "Arrow keys go from note to note, Enter goes to its moment, [ and ] mark bars.");
    }
    this.soon();
  }

  grow() {
    this.tall = !this.tall;
    this.toggle.setAttribute("aria-pressed", String(this.tall));
    this.open(this.take);
  }

  // --- drawing ---

  draw() {
    if (!this.take) return;
    const { score, take } = this;
    const look = colours();
    const paint = cleared(this.back, scale.width, score.height);
    const lines = new Lines(paint, score.height);
    score.rows.forEach((row, n) => {
      paint.fillStyle = look.sink;
      if (n % 2) paint.fillRect(0, row.top, scale.width, row.height);
    });
    drawBars(paint, lines, take, look);
    drawSections(paint, lines, take, look);
    drawChords(paint, take, look);
    drawRange(paint, score.height, take, look);
    drawNotes(paint, score, look);
    drawCuts(paint, lines, score, take, look);
    this.now();
  }

  /** Draw what sounds at the playhead. */
  now() {
    if (!this.take || !this.score) return;
    const { score } = this;
    const { time } = clock;
    if (time < scale.from || time > scale.to) {
      if (this.lit) cleared(this.front, scale.width, score.height);
      this.lit = 0;
      return;
    }
    const sounding = soundingAt(score, time);
    if (!sounding.length && !this.lit) return;
    const paint = cleared(this.front, scale.width, score.height);
    const look = colours();
    for (const n of sounding) {
      const [x, wide] = across(score, n);
      paint.fillStyle = look.ink;
      paint.fillRect(x - 1, score.y[n] - 1, wide + 2, score.thick[n] + 2);
      paint.fillStyle = look[score.rows[score.row[n]].instrument];
      paint.fillRect(x, score.y[n], wide, score.thick[n]);
    }
    this.lit = sounding.length;
  }

  // --- marking, and asking ---

  listen() {
    this.stage.addEventListener("pointerdown", (down) => {
      if (!this.take) return;
      const before = store.range;
      const from = scale.time(this.x(down));
      this.back.focus({ preventScroll: true });
      follow(this.stage, down, {
        move: (event) => {
          const to = scale.time(this.x(event));
          store.set({ range: snapped(this.take, clamped(from), clamped(to)) });
        },
        cancel: () => store.set({ range: before }),
        click: () => clock.seek(clamped(from)),
      });
    });
    this.stage.addEventListener("pointermove", (event) => {
      if (event.buttons) tell(null);
      else this.point(event);
    });
    this.stage.addEventListener("pointerleave", () => tell(null));
    this.back.addEventListener("keydown", (event) => this.step(event));
    this.back.addEventListener("blur", () => tell(null));
    onKeys({
      "[": () => this.edge("from"),
      "]": () => this.edge("to"),
      Escape: () => store.range !== null && store.set({ range: null }),
    });
  }

  /** Put an end of what is marked to the playhead. */
  edge(end) {
    if (!this.take) return false;
    const { range } = store;
    const bar = snapped(this.take, clock.time, clock.time + 0.01);
    const other = end === "from" ? range?.to : range?.from;
    const whole = end === "from"
      ? { from: bar.from, to: other > bar.from ? other : bar.to }
      : { from: other < bar.to ? other : bar.from, to: bar.to };
    store.set({ range: whole });
    return undefined;
  }

  told() {
    const { take } = this;
    const { range } = store;
    say(this.live, take && range ? `Marked: ${barWords(take, range)}` : "");
  }

  /** Tell of the note at the pointer. */
  point(event) {
    const y = event.clientY - this.stage.getBoundingClientRect().top;
    const n = this.take ? noteAt(this.score, this.x(event), y) : -1;
    if (n < 0) tell(null);
    else this.show(n);
  }

  show(n) {
    const { score } = this;
    const [x, wide] = across(score, n);
    this.spot.style.transform = `translate(${x}px, ${score.y[n]}px)`;
    this.spot.style.width = `${wide}px`;
    this.spot.style.height = `${score.thick[n]}px`;
    tell(this.spot, noteWords(this.take, n));
  }

  /** Go from note to note by the keys of arrows. */
  step(event) {
    const { score } = this;
    const way = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const row = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Enter" && this.at !== null) clock.seek(score.start[this.at]);
    else if (event.key === " ") clock.toggle();
    else if (way) this.at = this.beside(way);
    else if (row) this.at = this.across(row);
    else return;
    event.preventDefault();
    if (this.at === null) return;
    const time = score.start[this.at];
    if (time < scale.from || time > scale.to) scale.show(time - (scale.to - scale.from) / 4);
    this.show(this.at);
    say(this.live, noteWords(this.take, this.at));
  }

  beside(way) {
    const { start, row } = this.score;
    if (this.at === null) {
      const first = start.findIndex((time) => time >= clock.time - 1e-3);
      return first < 0 ? start.length - 1 : first;
    }
    let n = this.at + way;
    while (n >= 0 && n < start.length && row[n] !== row[this.at]) n += way;
    return n >= 0 && n < start.length ? n : this.at;
  }

  across(way) {
    if (this.at === null) return this.beside(1);
    const { start, row, rows } = this.score;
    const to = Math.min(rows.length - 1, Math.max(0, row[this.at] + way));
    const time = start[this.at];
    let best = this.at;
    let near = Infinity;
    for (let n = 0; n < start.length; n += 1) {
      if (row[n] === to && Math.abs(start[n] - time) < near) {
        near = Math.abs(start[n] - time);
        best = n;
      }
    }
    return best;
  }
}

/** Lay the notes of a take out in rows: where each stands, by number, in the order of time. */
function laid(take, tall) {
  const { start, end, pitch, velocity, player } = take.columns;
  const playing = [...new Set(player)];
  const rank = (n) => CLASSES.indexOf(take.players[n].instrument);
  const kinds = tall
    ? playing.sort((a, b) => rank(a) - rank(b) || a - b)
      .map((n) => ({ name: take.players[n].name, instrument: take.players[n].instrument, of: [n] }))
    : CLASSES.filter((name) => playing.some((n) => take.players[n].instrument === name))
      .map((name) => ({ name: capital(name), instrument: name,
        of: playing.filter((n) => take.players[n].instrument === name) }));
  const height = tall ? PLAYER : ROW;
  const rows = kinds.map((kind, n) => ({
    ...kind, top: HEAD + n * height, height, low: 127, high: 0,
  }));
  const rowOf = new Map(rows.flatMap((row, n) => row.of.map((one) => [one, n])));
  const count = start.length;
  const score = { start, end, rows, row: new Uint8Array(count), y: new Float32Array(count),
    thick: new Float32Array(count), longest: 0, strokes: [],
    height: HEAD + rows.length * height + FOOT };
  const heap = new Map();
  for (let n = 0; n < count; n += 1) {
    const row = rows[score.row[n] = rowOf.get(player[n])];
    row.low = Math.min(row.low, pitch[n]);
    row.high = Math.max(row.high, pitch[n]);
  }
  for (let n = 0; n < count; n += 1) {
    const row = rows[score.row[n]];
    const room = row.height - 2 * EDGE;
    const thick = Math.max(2, Math.min(THICK, room / (row.high - row.low + 1)));
    const share = row.high > row.low ? (row.high - pitch[n]) / (row.high - row.low) : 0.5;
    score.thick[n] = thick;
    score.y[n] = row.top + EDGE + share * (room - thick);
    score.longest = Math.max(score.longest, end[n] - start[n]);
    const strength = Math.floor((velocity[n] / 128) * STRENGTHS.length);
    const key = `${row.instrument} ${strength}`;
    if (!heap.has(key)) {
      heap.set(key, { instrument: row.instrument, alpha: STRENGTHS[strength], notes: [] });
    }
    heap.get(key).notes.push(n);
  }
  score.strokes = [...heap.values()].sort((a, b) => a.alpha - b.alpha);
  score.rings = take.cut_reports.filter((cut) => cut.kept && cut.hit)
    .map((cut) => ringsOf(score, cut));
  return score;
}

/** Of each row the highest note that begins on a cut that is hit. */
function ringsOf(score, cut) {
  const { start, row, y } = score;
  const found = new Map();
  const { time } = cut.hit;
  for (let n = before(start, time - AT); n < start.length && start[n] <= time + AT; n += 1) {
    const best = found.get(row[n]);
    if (best === undefined || y[n] < y[best]) found.set(row[n], n);
  }
  return { time: cut.time, notes: [...found.values()] };
}

/** The number of the first entry of an ascending list that is not below `value`. */
function before(list, value, of = (entry) => entry) {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (of(list[middle]) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The left edge of a note, and how wide it is. */
function across({ start, end }, n) {
  const x = scale.x(start[n]);
  return [x, Math.max(2, scale.x(end[n]) - x - 0.5)];
}

function soundingAt(score, time) {
  const found = [];
  for (let n = before(score.start, time - score.longest); n < score.start.length; n += 1) {
    if (score.start[n] > time) break;
    if (score.end[n] > time) found.push(n);
  }
  return found;
}

function noteAt(score, x, y) {
  const time = scale.time(x);
  let best = -1;
  let near = 5;
  for (let n = before(score.start, time - score.longest - 0.2); n < score.start.length; n += 1) {
    const [left, wide] = across(score, n);
    if (left > x + 3) break;
    const off = Math.abs(score.y[n] + score.thick[n] / 2 - y);
    if (left + wide >= x - 3 && off < near) {
      near = off;
      best = n;
    }
  }
  return best;
}

function noteWords(take, n) {
  const { start, pitch, player, velocity } = take.columns;
  const { name, instrument } = take.players[player[n]];
  const called = instrument === "drums" ? `stroke ${pitch[n]}` : pitchName(pitch[n]);
  return `${called} · ${name} · ${words(start[n], 2)} · strength ${velocity[n]}`;
}

function drawNotes(paint, score, look) {
  const { start, y, thick, longest } = score;
  const pixels = scale.width / (scale.to - scale.from);
  for (const { instrument, alpha, notes } of score.strokes) {
    paint.fillStyle = look[instrument];
    paint.globalAlpha = alpha;
    const first = before(notes, scale.from - longest, (n) => start[n]);
    for (let k = first; k < notes.length; k += 1) {
      const n = notes[k];
      if (start[n] > scale.to) break;
      if (score.end[n] < scale.from) continue;
      const x = (start[n] - scale.from) * pixels;
      paint.fillRect(x, y[n], Math.max(2, (score.end[n] - start[n]) * pixels - 0.5), thick[n]);
    }
  }
  paint.globalAlpha = 1;
}

/** Lines from top to bottom. */
class Lines {
  constructor(paint, height) {
    Object.assign(this, { paint, height });
  }

  draw(time, colour, { from = 0, wide = 1, dash = [], alpha = 1 } = {}) {
    const x = Math.round(scale.x(time)) + 0.5;
    if (x < -2 || x > scale.width + 2) return;
    const { paint } = this;
    paint.globalAlpha = alpha;
    paint.strokeStyle = colour;
    paint.lineWidth = wide;
    paint.setLineDash(dash);
    paint.beginPath();
    paint.moveTo(x, from);
    paint.lineTo(x, this.height - FOOT);
    paint.stroke();
    paint.setLineDash([]);
    paint.globalAlpha = 1;
  }
}

function drawBars(paint, lines, take, look) {
  const { bars } = take;
  const pixels = scale.width / (scale.to - scale.from);
  const dense = bars.length > 1 && (pixels * take.duration) / bars.length < 10;
  paint.font = FONT;
  paint.fillStyle = look.faint;
  paint.textBaseline = "alphabetic";
  let free = -Infinity;
  bars.forEach((time, n) => {
    const x = scale.x(time);
    if (x < -40 || x > scale.width) return;
    if (!dense || n % 4 === 0) lines.draw(time, look.line, { from: HEAD - 4 });
    if (x < free) return;
    const text = String(n + 1);
    paint.fillText(text, x + 3, lines.height - 3);
    free = x + paint.measureText(text).width + 14;
  });
}

function drawSections(paint, lines, take, look) {
  paint.font = `600 ${FONT}`;
  paint.textBaseline = "middle";
  for (const { start, end, theme, emotion } of take.sections) {
    const [x, right] = [scale.x(start), scale.x(end)];
    if (right < 0 || x > scale.width) continue;
    paint.globalAlpha = 0.22;
    paint.fillStyle = look[emotion] ?? look.neutral;
    paint.fillRect(x, 0, right - x - 1, SECTIONS);
    paint.globalAlpha = 1;
    lines.draw(start, look.faint, { alpha: 0.6 });
    const [left, middle] = [Math.max(x, 0) + 5, SECTIONS / 2 + 0.5];
    written(paint, `${theme} · ${emotion}`, left, middle, right - 4, look.ink)
      || written(paint, theme, left, middle, right - 2, look.ink);
  }
  if (!take.range) return;
  const [from, to] = take.range.map(scale.x); // what was composed anew
  paint.fillStyle = look.accent;
  paint.fillRect(from, SECTIONS - 2, to - from, 2);
}

function drawChords(paint, take, look) {
  paint.font = FONT;
  paint.textBaseline = "middle";
  let free = -Infinity;
  for (const { time, name } of take.chords) {
    const x = scale.x(time) + 3;
    if (x < free || x > scale.width || x < -60) continue;
    const text = printed(name);
    paint.fillStyle = look.ink;
    paint.fillText(text, x, SECTIONS + CHORDS / 2 + 1);
    free = x + paint.measureText(text).width + 8;
  }
}

/** Write a text where it has room; returns whether it had. */
function written(paint, text, x, y, right, ink) {
  if (x + paint.measureText(text).width > right) return false;
  paint.fillStyle = ink;
  paint.fillText(text, x, y);
  return true;
}

function drawRange(paint, height, take, look) {
  const { range } = store;
  if (!range) return;
  const [from, to] = [scale.x(range.from), scale.x(range.to)];
  paint.fillStyle = look.accent;
  paint.globalAlpha = 0.14;
  paint.fillRect(from, SECTIONS, to - from, height - SECTIONS);
  paint.globalAlpha = 1;
  paint.fillRect(from - 1, SECTIONS, 2, height - SECTIONS);
  paint.fillRect(to - 1, SECTIONS, 2, height - SECTIONS);
}

function drawCuts(paint, lines, score, take, look) {
  for (const cut of take.cut_reports) {
    const style = cut.kept ? { wide: 1.5, alpha: 0.8 } : { dash: [2, 4], alpha: 0.5 };
    lines.draw(cut.time, look.cut, { from: SECTIONS, ...style });
  }
  paint.lineWidth = 1.75;
  for (const { time, notes } of score.rings) {
    const x = Math.round(scale.x(time)) + 0.5;
    if (x < -8 || x > scale.width + 8) continue;
    for (const n of notes) {
      paint.beginPath();
      paint.arc(x, score.y[n] + score.thick[n] / 2, 5, 0, 2 * Math.PI);
      paint.fillStyle = look.raise;
      paint.globalAlpha = 0.75;
      paint.fill();
      paint.globalAlpha = 1;
      paint.strokeStyle = look.cut;
      paint.stroke();
    }
  }
}

function nameOfRow({ name, instrument, top, height }) {
  const element = make("span", { class: `roll-name is-${instrument}` }, name);
  element.style.top = `${top}px`;
  element.style.height = `${height}px`;
  return element;
}

function clamped(time) {
  return Math.min(scale.whole, Math.max(0, time));
}

customElements.define("em-roll", Roll);
