// The arc: what the film feels like, state by state, and why. Edges and heights are dragged.

import { clock, words } from "./clock.js";
import { button, make, say } from "./dom.js";
import { draft } from "./draft.js";
import { dragEdge } from "./edge.js";
import {
  feel, feelings, feels, framesOf, mergeStates, onFrame, split, splitPlace, withArc, withEdge,
} from "./edits.js";
import { follow } from "./gesture.js";
import { Lane, children, mark, place, tell } from "./lane.js";
import { reveal } from "./ruler.js";
import { scale } from "./scale.js";
import { store } from "./store.js";
import { capital } from "./words.js";

const AXES = ["valence", "arousal"];
const STEP = 0.05; // of a height by a key
const NARROW = 44; // pixels that a state has to have for its name
const EDGE = 8; // pixels from an edge that take hold of it
const POLES = { valence: ["pleasant", "unpleasant"], arousal: ["excited", "calm"] };
const SURE = 1.5; // width on the plane from which on a cue hardly has a say

const sign = (value) => (value > 0 ? "+" : value < 0 ? "−" : "");
const signed = (value) => `${sign(value)}${Math.abs(value).toFixed(2)}`;
const span = (state) => `from ${words(state.start)} to ${words(state.end)}`;
const within = (value) => Math.min(1, Math.max(-1, Math.round(value * 100) / 100));

/** Return a value of the plane in words, such as "rather calm". */
function degree(axis, value) {
  if (value === null) return "not known";
  const [high, low] = POLES[axis];
  const size = Math.abs(value);
  if (size < 0.1) return `neither ${high} nor ${low}`;
  return `${size < 0.3 ? "a little " : size < 0.6 ? "" : "very "}${value > 0 ? high : low}`;
}

/** Return a value of the plane as a number and in words. */
const told = (axis, value) =>
  (value === null ? degree(axis, value) : `${signed(value)}, ${degree(axis, value)}`);

class Arc extends Lane {
  static title = "Feeling";
  static shows = "document seen film health";

  build() {
    this.chosen = null; // the number of the state that is chosen
    this.note.append(...AXES.map((axis) => make("span", { class: `key ${axis}` }, capital(axis))));
    const line = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    line.classList.add("curves");
    line.setAttribute("aria-hidden", "true");
    this.curves = Object.fromEntries(AXES.map((axis) => {
      const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
      path.classList.add(axis);
      line.append(path);
      return [axis, path];
    }));
    this.states = make("div");
    this.edges = make("div");
    const poles = AXES.map((axis) => make("div", { class: `poles ${axis}`, "aria-hidden": "true" },
      ...POLES[axis].map((word) => make("span", {}, word))));
    this.stage.append(line, this.states, this.edges, ...poles);
    this.panel = make("div", { class: "lane-panel", role: "region",
      "aria-label": "The feeling that is chosen" });
    this.append(this.panel);
    this.stage.addEventListener("pointerdown", (down) => this.press(down));
    this.stage.addEventListener("pointermove", (event) => this.hover(event));
    this.addEventListener("keydown", (event) => this.key(event));
    this.addEventListener("focusout", () => tell(null));
    store.on("film", () => {
      if (store.film?.id !== this.film) this.choose(null);
      this.film = store.film?.id;
    });
  }

  get arc() {
    return draft.analysis?.arc ?? [];
  }

  draw() {
    const { arc } = this;
    if (this.chosen >= arc.length) this.chosen = null;
    children(this.states, arc, () => stateOf(this), (element, state, i) => {
      const x = scale.x(state.start);
      place(element, x, scale.x(state.end) - x);
      element.dataset.emotion = state.emotion;
      element.classList.toggle("chosen", i === this.chosen);
      const { name } = element.parts;
      const width = scale.x(state.end) - x;
      name.style.left = `${Math.min(Math.max(0, -x), Math.max(0, width - 60))}px`;
      element.classList.toggle("narrow", width < NARROW);
      say(name, state.emotion ? capital(state.emotion) : "…");
      mark(name, { "aria-pressed": i === this.chosen, 
        "aria-label": `${capital(state.emotion || "A feeling")} ${span(state)}` });
      for (const axis of AXES) {
        const { fill, knob } = element.parts[axis];
        const value = state[axis];
        fill.style.top = `${50 - 50 * Math.max(0, value ?? 0)}%`;
        fill.style.height = `${50 * Math.abs(value ?? 0)}%`;
        knob.style.top = `${50 - 50 * (value ?? 0)}%`;
        knob.state = i;
        mark(knob, { "aria-label": `${capital(axis)} ${span(state)}`, "aria-valuenow": value ?? 0,
          "aria-valuetext": told(axis, value) });
      }
    });
    children(this.edges, arc.slice(1),
      () => make("div", { class: "edge", role: "slider", tabIndex: 0 }), (edge, state, i) => {
        edge.state = i + 1;
        place(edge, scale.x(state.start));
        mark(edge, { "aria-label": `Where the feeling turns, ${i + 1} of ${arc.length - 1}`,
          "aria-valuemin": 0, "aria-valuemax": scale.whole, "aria-valuenow": state.start.toFixed(3),
          "aria-valuetext": words(state.start, 2) });
      });
    for (const axis of AXES) this.drawCurve(axis);
    this.drawPanel();
  }

  drawCurve(axis) {
    const curve = store.seen?.[`${axis}_curve`];
    const { height } = this.row(axis);
    const top = this.row(axis).top + height / 2;
    let path = "";
    const { step = 1, values = [] } = curve ?? {};
    const first = Math.max(0, Math.floor(scale.from / step) - 1);
    for (let i = first; i < values.length && (i - 1) * step < scale.to; i += 1) {
      const time = Math.min((i + 0.5) * step, scale.whole);
      const point = `${scale.x(time).toFixed(1)} ${(top - (values[i] * height) / 2).toFixed(1)}`;
      path += `${path ? "L" : "M"}${point}`;
    }
    mark(this.curves[axis], { d: path });
  }

  /** Return where the row of an axis is in the stage: {top, height} in pixels. */
  row(axis) {
    const style = getComputedStyle(this);
    const [name, height, gap] = ["--name", "--height", "--gap"].map((one) =>
      parseFloat(style.getPropertyValue(one)));
    return { top: name + (axis === "arousal" ? height + gap : 0), height };
  }

  choose(at) {
    this.chosen = at;
    this.soon();
  }

  /** Return what is at the pointer: {edge}, {state, axis} or {state}. */
  at(event) {
    const { arc } = this;
    const x = this.x(event);
    const reach = event.pointerType === "touch" ? 2 * EDGE : EDGE;
    const edges = arc.map((state, i) => [i, Math.abs(scale.x(state.start) - x)]).slice(1);
    const [edge, far] = edges.reduce((one, next) => (next[1] < one[1] ? next : one), [0, Infinity]);
    if (far <= reach) return { edge };
    const time = scale.time(x);
    const state = arc.findIndex((one) => time < one.end);
    const y = event.clientY - this.stage.getBoundingClientRect().top;
    const axis = AXES.find((one) => {
      const { top, height } = this.row(one);
      return y >= top && y < top + height;
    });
    return { state: state < 0 ? arc.length - 1 : state, axis };
  }

  press(down) {
    if (!this.arc.length) return;
    const { edge, state, axis } = this.at(down);
    draft.flush();
    if (edge) this.pressEdge(down, edge);
    else if (axis) this.pressHeight(down, state, axis);
    else follow(this.stage, down, { click: () => this.toggle(state) });
  }

  toggle(state) {
    this.choose(this.chosen === state ? null : state);
    this.states.children[state]?.parts.name.focus({ preventScroll: true });
  }

  pressEdge(down, edge) {
    dragEdge(this, down, this.edges.children[edge - 1], {
      edge,
      name: "analysis",
      moved: (analysis, time) => withArc(analysis, withEdge(analysis.arc, edge, time)),
      rows: (analysis) => analysis.arc,
      what: "moved where the feeling turns",
    });
  }

  pressHeight(down, state, axis) {
    const { analysis } = draft;
    const { knob } = this.states.children[state].parts[axis];
    const { height } = this.row(axis);
    const start = analysis.arc[state][axis] ?? 0;
    let now = analysis;
    knob.focus({ preventScroll: true });
    follow(this.stage, down, {
      move: (event) => {
        const value = within(start + ((down.clientY - event.clientY) * 2) / height);
        now = feel(analysis, state, { [axis]: value });
        draft.show({ analysis: now });
        this.tell(knob, axis, value);
      },
      end: () => {
        tell(null);
        this.choose(state);
        if (now !== analysis) draft.keep(`changed the ${axis}`, { analysis: now });
      },
      cancel: () => {
        tell(null);
        draft.drop();
      },
      click: () => this.toggle(state),
    });
  }

  tell(knob, axis, value) {
    const { left, width, top } = knob.getBoundingClientRect();
    tell({ left, width, top: top - 8, bottom: top + 8 },
      make("strong", {}, `${capital(axis)} ${signed(value)}`),
      make("span", {}, degree(axis, value)));
  }

  hover(event) {
    if (event.buttons || !this.arc.length) return;
    const { edge, axis } = this.at(event);
    this.stage.style.cursor = edge ? "ew-resize" : axis ? "ns-resize" : "pointer";
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.arc.length) return;
    const { target, key, shiftKey } = event;
    const letter = key.toLowerCase();
    const way = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1 }[key];
    const { axis } = target.dataset;
    const edge = target.classList.contains("edge");
    if (axis && way) this.nudgeHeight(target, axis, way * (shiftKey ? STEP / 5 : STEP));
    else if (axis && key === "Enter") this.toggle(target.state);
    else if (edge && way) this.nudgeEdge(target.state, way * (shiftKey ? 10 : 1));
    else if (edge && (key === "Delete" || key === "Backspace")) this.merge(target.state - 1);
    else if (letter === "s") this.split();
    else if (letter === "m") this.merge(target.state ?? this.chosen);
    else if (key === "Escape" && this.chosen !== null) this.toggle(this.chosen);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  nudgeHeight(knob, axis, by) {
    const value = within((this.arc[knob.state][axis] ?? 0) + by);
    const analysis = feel(draft.analysis, knob.state, { [axis]: value });
    draft.keepSoon(`changed the ${axis}`, { analysis });
    requestAnimationFrame(() => requestAnimationFrame(() => this.tell(knob, axis, value)));
  }

  nudgeEdge(edge, by) {
    const { analysis } = draft;
    const frames = framesOf(analysis.fps);
    const time = frames.at(frames.of(analysis.arc[edge].start) + by);
    const now = withArc(analysis, withEdge(analysis.arc, edge, time));
    draft.keepSoon("moved where the feeling turns", { analysis: now });
    reveal(now.arc[edge].start);
    if (!clock.playing) clock.seek(now.arc[edge].start);
  }

  split() {
    const { analysis } = draft;
    const time = onFrame(clock.time, analysis.fps);
    const at = splitPlace(analysis.arc, time);
    if (at < 0) {
      store.say("Put the playhead where the feeling shall turn, then split it there.");
      return;
    }
    this.choose(at + 1);
    draft.keep("split a feeling", { analysis: withArc(analysis, split(analysis.arc, at, time)) });
  }

  merge(at) {
    if (at === null || at + 1 >= this.arc.length) {
      store.say("Choose a feeling that another follows; the two become one.");
      return;
    }
    this.choose(at);
    draft.keep("merged two feelings", { analysis: mergeStates(draft.analysis, at) });
  }

  // --- the state that is chosen ---

  drawPanel() {
    const state = this.arc[this.chosen];
    this.panel.hidden = !state;
    if (!state) {
      this.panel.replaceChildren();
      this.what = null;
      return;
    }
    const what = JSON.stringify([this.chosen, state, this.arc.length, store.film.id]);
    if (what === this.what) return;
    const { activeElement } = document;
    const focused = this.panel.contains(activeElement) ? activeElement.dataset.act : null;
    this.what = what;
    const small = (text, act, more = {}) =>
      button(text, act, { kind: "small", "data-act": text, ...more });
    const palette = Object.entries(feelings(store.health.emotions)).map(([name, point]) => {
      const one = small(capital(name), () => this.name(name, point),
        { "aria-pressed": String(feels(state, name)), "data-emotion": name });
      one.prepend(make("i", { class: "dot" }));
      return one;
    });
    this.panel.replaceChildren(
      make("div", { class: "panel-head" },
        make("strong", {}, `${words(state.start)} – ${words(state.end)}`),
        make("span", { class: "faint" },
          AXES.map((axis) => `${axis} ${told(axis, state[axis])}`).join(" · ")),
        button("Close", () => this.toggle(this.chosen), { icon: "close", kind: "quiet small" })),
      make("div", { class: "panel-row" },
        make("div", { class: "group", role: "group", "aria-label": "Make it feel" }, ...palette),
        make("div", { class: "group" },
          small("Split at the playhead", () => this.split(), { title: "S" }),
          small("Merge with the next", () => this.merge(this.chosen),
            { title: "M", disabled: this.chosen + 1 >= this.arc.length }))),
      why(state));
    if (focused) this.panel.querySelector(`[data-act="${CSS.escape(focused)}"]`)?.focus();
  }

  name(name, { valence, arousal }) {
    const analysis = feel(draft.analysis, this.chosen, { valence, arousal });
    draft.keep(`set a feeling to ${name}`, { analysis });
  }
}

/** Return a state of the lane, with its parts. */
function stateOf(lane) {
  const knobs = AXES.map((axis) => make("div", { class: `knob ${axis}`, role: "slider", tabIndex: 0,
    "data-axis": axis, "aria-orientation": "vertical", "aria-valuemin": "-1",
    "aria-valuemax": "1" }));
  const fills = AXES.map((axis) => make("div", { class: `fill ${axis}` }));
  const name = make("button", { class: "state-name", type: "button" });
  // a pointer is the stage's; this is the keyboard's
  name.addEventListener("click", (event) => {
    if (!event.detail) lane.toggle([...lane.states.children].indexOf(element));
  });
  const element = make("div", { class: "state" }, name,
    ...AXES.map((axis, i) => make("div", { class: `height ${axis}` }, fills[i], knobs[i])));
  element.parts = { name };
  AXES.forEach((axis, i) => { element.parts[axis] = { fill: fills[i], knob: knobs[i] }; });
  return element;
}

/** Return why a stretch feels so: what each cue said of its shots. */
function why(state) {
  const shots = (store.seen?.shots ?? []).filter((shot) =>
    Math.min(shot.end, state.end) - Math.max(shot.start, state.start) > 0.02);
  if (!shots.length) return make("p", { class: "faint small" }, "Nobody knows why it feels so.");
  const rows = shots.map((shot) => make("tr", {},
    make("th", { scope: "row" }, button(words(shot.start), () => {
      clock.seek(shot.start);
      reveal(shot.start);
    }, { kind: "quiet small", title: "Go there" })),
    make("td", {}, ...Object.entries(shot.says).map(([cue, said]) => saying(cue, said)))));
  return make("details", { class: "why", open: true },
    make("summary", {}, "Why it was felt so"),
    make("div", { class: "why-shots", tabIndex: 0, role: "region", "aria-label": "Shot by shot" },
      make("table", {}, make("tbody", {}, ...rows))));
}

function saying(cue, said) {
  const widths = AXES.map((axis) => said[`${axis}_sd`] ?? Infinity);
  const speaks = AXES.filter((axis, i) => widths[i] < SURE);
  const numbers = speaks.map((axis) =>
    make("span", { class: `number ${axis}`, title: capital(axis) }, signed(said[axis])));
  return make("span", { class: speaks.length ? "saying" : "saying unsure" },
    make("b", {}, cue), ` ${said.words || "nothing to go by"} `, ...numbers);
}

customElements.define("em-arc", Arc);
