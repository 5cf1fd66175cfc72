// The ruler: times, the overview bar, zoom, and the playhead that stands over all lanes.

import { clock, words } from "./clock.js";
import { button, make, say } from "./dom.js";
import { framesOf } from "./edits.js";
import { dragging, follow, giveUp } from "./gesture.js";
import { onKeys } from "./keys.js";
import { children, mark, place } from "./lane.js";
import { scale } from "./scale.js";
import { store } from "./store.js";

const ROOM = 72; // pixels between two times
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600]; // seconds between two times
const FRAMES = [1, 2, 5, 10]; // or frames
const STEP = 1.4; // of a zoom by a key

const zoomed = () => scale.to - scale.from < scale.whole - 1e-6;
const inView = (time) => time >= scale.from && time <= scale.to;
const middle = () => (inView(clock.time) ? clock.time : (scale.from + scale.to) / 2);
const fps = () => store.document?.analysis.fps ?? store.film?.fps ?? "0";

/** Bring a moment into view. */
export function reveal(time) {
  const span = scale.to - scale.from;
  if (!inView(time)) scale.show(time - span / 4);
}

/** Move the playhead by frames. */
export function stepFrames(count) {
  const frames = framesOf(fps());
  clock.seek(frames.at(frames.of(clock.time) + count));
  reveal(clock.time);
}

class Ruler extends HTMLElement {
  connectedCallback() {
    if (this.face) return;
    this.thumb = make("div", { class: "thumb" });
    this.bar = make("div", { class: "overview", role: "scrollbar", tabIndex: 0,
      "aria-label": "Part of the film that is shown", "aria-orientation": "horizontal" },
    this.thumb);
    this.face = make("div", { class: "face", role: "slider", tabIndex: 0,
      "aria-label": "Playhead" });
    this.append(this.bar, this.face);
    const zoom = (words, icon, act) => button(words, act, { icon, kind: "quiet small" });
    this.previousElementSibling.append(make("div", { class: "zooms" },
      zoom("Show more of the film (−)", "minus", () => scale.zoom(1 / STEP, middle())),
      zoom("Show all of it (0)", "fit", () => scale.fit(scale.whole)),
      zoom("Show less, larger (+)", "plus", () => scale.zoom(STEP, middle()))));
    this.lanes = this.closest(".lanes");
    this.head = this.lanes.querySelector(".playhead");
    this.ticks = make("div", { class: "ticks" });
    this.face.append(this.ticks);
    const sized = new ResizeObserver(() =>
      scale.set({ width: Math.max(1, this.face.clientWidth) }));
    sized.observe(this.face);
    this.listen();
    store.on("film", () => this.open());
    scale.on(() => this.soon());
    clock.on(() => this.follow());
  }

  /** Show all of a film that is new here. */
  open() {
    const { id = null, duration = 0 } = store.film ?? {};
    if (duration && clock.duration !== duration) clock.tell({ duration });
    if (id === this.film && scale.whole === duration) return;
    this.film = id;
    scale.fit(duration || 1);
  }

  soon() {
    this.asked ||= requestAnimationFrame(() => {
      this.asked = 0;
      this.draw();
    });
  }

  draw() {
    const create = () => make("span", { class: "tick" });
    children(this.ticks, this.marks(), create, (tick, { time, text, fine }) => {
      place(tick, scale.x(time));
      tick.classList.toggle("fine", Boolean(fine));
      say(tick, scale.x(time) > scale.width - (fine ? 18 : 32) ? "" : text);
    });
    const [from, to] = [scale.from / scale.whole, scale.to / scale.whole];
    this.thumb.style.left = `${100 * from}%`;
    this.thumb.style.width = `${100 * (to - from)}%`;
    this.bar.classList.toggle("whole", !zoomed());
    const most = 100 - Math.round(100 * (to - from));
    mark(this.bar, { "aria-valuemin": 0, "aria-valuemax": most,
      "aria-valuenow": Math.round(100 * from),
      "aria-valuetext": `${words(scale.from)} to ${words(scale.to)}` });
    this.follow();
  }

  /** Return the times that have room: seconds, and frames between them when they are far apart. */
  marks() {
    const frames = framesOf(fps());
    const pixels = scale.width / (scale.to - scale.from);
    const step = STEPS.find((one) => one * pixels >= ROOM) ?? STEPS.at(-1);
    const found = [];
    const first = Math.floor(scale.from / step);
    for (let k = first; k * step <= scale.to; k += 1) {
      found.push({ time: k * step, text: words(k * step, 0) });
    }
    const fine = FRAMES.find((one) => (one / frames.rate) * pixels >= ROOM / 2);
    if (step > 1 || !fine || !frames.known) return found;
    for (let second = Math.floor(scale.from); second <= scale.to; second += 1) {
      const start = Math.ceil(second * frames.rate - 1e-6);
      for (let k = fine; start + k < (second + 1) * frames.rate - fine / 2; k += fine) {
        found.push({ time: frames.at(start + k), text: `+${k}`, fine: true });
      }
    }
    return found;
  }

  /** Put the playhead where it is; while it plays, turn the page when it runs out of view. */
  follow() {
    const span = scale.to - scale.from;
    const gone = clock.time > scale.to - span / 20 || clock.time < scale.from;
    if (clock.playing && zoomed() && gone && !dragging() && clock.time < scale.whole - span / 20) {
      scale.show(clock.time - span / 10);
    }
    const x = scale.x(clock.time);
    this.head.hidden = !store.film || x < -1 || x > scale.width + 1;
    place(this.head, x);
    mark(this.face, { "aria-valuemin": 0, "aria-valuemax": clock.duration.toFixed(3),
      "aria-valuenow": clock.time.toFixed(3), "aria-valuetext": words(clock.time, 2) });
  }

  listen() {
    this.face.addEventListener("pointerdown", (down) => seekAlong(this.face, down));
    this.face.addEventListener("keydown", (event) => {
      const frames = (event.shiftKey ? 10 : 1) * ({ ArrowLeft: -1, ArrowRight: 1 }[event.key] ?? 0);
      const jump = { PageUp: -5, PageDown: 5 }[event.key];
      if (frames) stepFrames(frames);
      else if (jump) clock.seek(clock.time + jump);
      else if (event.key === "Home") clock.seek(0);
      else if (event.key === "End") clock.seek(clock.duration);
      else return;
      event.preventDefault();
      reveal(clock.time);
    });
    this.bar.addEventListener("pointerdown", (down) => this.slide(down));
    this.bar.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: -1, ArrowRight: 1, PageUp: -5, PageDown: 5 }[event.key];
      if (!way) return;
      event.preventDefault();
      scale.show(scale.from + (way * (scale.to - scale.from)) / 5);
    });
    this.lanes.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.pinch();
    onKeys({
      "+": () => scale.zoom(STEP, middle()),
      "=": () => scale.zoom(STEP, middle()),
      "-": () => scale.zoom(1 / STEP, middle()),
      0: () => scale.fit(scale.whole),
      ",": () => stepFrames(-1),
      ".": () => stepFrames(1),
      "<": () => stepFrames(-10),
      ">": () => stepFrames(10),
    });
  }

  /** Drag the overview. */
  slide(down) {
    const box = this.bar.getBoundingClientRect();
    const span = scale.to - scale.from;
    const at = (event) => ((event.clientX - box.left) / box.width) * scale.whole;
    if (at(down) < scale.from || at(down) > scale.to) scale.show(at(down) - span / 2);
    const held = at(down) - scale.from;
    follow(this.bar, down, { move: (event) => scale.show(at(event) - held) });
  }

  wheel(event) {
    const unit = event.deltaMode ? 16 : 1;
    const x = event.clientX - this.face.getBoundingClientRect().left;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      scale.zoom(Math.exp((-event.deltaY * unit) / 240), scale.time(x));
      return;
    }
    // a plain wheel turns the page of the browser, but over times and pictures
    const over = event.target.closest("em-ruler, em-strip") || event.shiftKey;
    const pixels = event.deltaX || (over ? event.deltaY : 0);
    if (!pixels || !zoomed()) return;
    event.preventDefault();
    scale.show(scale.from + (pixels * unit * (scale.to - scale.from)) / scale.width);
  }

  /** Two fingers zoom and move. */
  pinch() {
    const fingers = new Map();
    let before = null;
    const left = () => this.face.getBoundingClientRect().left;
    const measure = () => {
      const [a, b] = [...fingers.values()];
      return { middle: (a + b) / 2 - left(), apart: Math.max(20, Math.abs(a - b)) };
    };
    this.lanes.addEventListener("pointerdown", (event) => {
      if (event.pointerType !== "touch") return;
      fingers.set(event.pointerId, event.clientX);
      if (fingers.size !== 2) return;
      giveUp();
      before = measure();
    }, true);
    this.lanes.addEventListener("pointermove", (event) => {
      if (!fingers.has(event.pointerId)) return;
      fingers.set(event.pointerId, event.clientX);
      if (fingers.size !== 2 || !before) return;
      const now = measure();
      const held = scale.time(before.middle);
      scale.zoom(now.apart / before.apart, held);
      scale.show(scale.from + held - scale.time(now.middle));
      before = now;
    }, true);
    for (const name of ["pointerup", "pointercancel"]) {
      addEventListener(name, (event) => {
        fingers.delete(event.pointerId);
        before = null;
      }, true);
    }
  }
}

/** Let the playhead follow a pointer that is held on `element`. */
export function seekAlong(element, down) {
  const left = element.getBoundingClientRect().left;
  const seek = (event) => clock.seek(scale.time(event.clientX - left));
  const from = clock.time;
  follow(element, down, { move: seek, click: seek, cancel: () => clock.seek(from) });
  element.focus({ preventScroll: true });
}

customElements.define("em-ruler", Ruler);
