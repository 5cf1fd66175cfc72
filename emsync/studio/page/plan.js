// The plan: sections with theme, key, chords and players, and the moments that are to be hit.

import { clock, words } from "./clock.js";
import { make, say } from "./dom.js";
import { draft } from "./draft.js";
import { dragEdge } from "./edge.js";
import {
  barsIn, framesOf, mergeSections, onFrame, over, placesOf, splitPlace, splitSection, withEdge,
} from "./edits.js";
import { follow } from "./gesture.js";
import { Lane, children, mark, place, tell } from "./lane.js";
import { reveal } from "./ruler.js";
import { scale } from "./scale.js";
import { store } from "./store.js";
import { printed } from "./words.js";

const NARROW = 28; // pixels that a section has to have for its letter
const EDGE = 8; // pixels from an edge that take hold of it
const BAR = 7; // pixels that a bar has to have for its line
const GAP = 10; // pixels before and after a chord
const DOT = "·"; // for a chord whose name has no room
const SAME = 0.002; // seconds
const FLASH = 1600; // milliseconds that a section is told from others when it has changed
const HUES = [228, 28, 152, 292, 64, 196, 340, 100]; // of themes, one after the other
const MARKS = ["pp", "p", "mp", "mf", "f", "ff"];
const EDGES = [40, 56, 72, 88, 104]; // levels between them, as in printed scores
const FLATS = { Db: "C#", Gb: "F#", Ab: "G#" }; // as minor keys are spelt

/** Return the hue of a theme. */
export const hueOf = (theme) => HUES[(theme.charCodeAt(0) - 65) % HUES.length];

/** Return how loud a level is, as it is written in scores. */
export function loudness(level) {
  return level === null ? "" : MARKS[EDGES.filter((edge) => level >= edge).length];
}

/** Return a key in words: "C♯ minor". */
export function keyOf(tonic, mode) {
  if (!tonic) return mode ?? "";
  return `${printed(mode === "minor" ? (FLATS[tonic] ?? tonic) : tonic)} ${mode ?? ""}`.trim();
}

/** Split the section at the playhead. */
export function splitHere() {
  const { analysis, plan } = draft;
  const time = onFrame(clock.time, analysis.fps);
  const at = splitPlace(plan.sections, time);
  if (at < 0) {
    store.say("Put the playhead where another section shall begin, then split it there.");
    return;
  }
  store.set({ section: at + 1 });
  draft.keep(`split section ${at + 1}`, { plan: splitSection(plan, at, time) });
}

/** Merge a section with the next. */
export function mergeNext(at) {
  if (at === null || at + 1 >= draft.plan.sections.length) {
    store.say("Choose a section that another follows; the two become one.");
    return;
  }
  store.set({ section: at });
  draft.keep(`merged sections ${at + 1} and ${at + 2}`, { plan: mergeSections(draft.plan, at) });
}

class Plan extends Lane {
  static title = "Plan";
  static shows = "document section film health";

  build() {
    this.blocks = make("div");
    this.edges = make("div");
    this.hits = make("div", { class: "plan-hits", "aria-hidden": "true" });
    this.bars = make("div", { class: "bar-lines", "aria-hidden": "true" });
    this.chords = make("div", { class: "chords", "aria-hidden": "true" });
    this.stage.append(this.blocks, this.bars, this.chords, this.edges, this.hits);
    this.tempo = make("span", { class: "tempo", role: "img" });
    this.legend = make("div", { class: "legend", "aria-hidden": "true" });
    this.tools.append(this.tempo);
    this.note.after(this.legend);
    this.stage.addEventListener("pointerdown", (down) => this.press(down));
    this.stage.addEventListener("pointermove", (event) => this.hover(event));
    this.stage.addEventListener("keydown", (event) => this.key(event));
    this.addEventListener("focusout", () => tell(null));
  }

  get sections() {
    return draft.plan?.sections ?? [];
  }

  draw() {
    const { plan } = draft;
    const { sections } = this;
    if (store.section >= sections.length && store.section !== null) store.set({ section: null });
    const tempo = plan ? `${Math.round(plan.tempo)} beats a minute` : "";
    say(this.tempo, plan ? `♩ = ${Math.round(plan.tempo)}` : "");
    mark(this.tempo, { title: tempo, "aria-label": tempo });
    say(this.note, store.document?.plan_is === "yours" ? "yours" : "");
    children(this.legend, store.health?.instruments ?? [], () => make("span"),
      (name, instrument) => say(name, instrument));
    children(this.blocks, sections, () => blockOf(this),
      (block, section, i) => this.drawBlock(block, section, i));
    children(this.edges, sections.slice(1),
      () => make("div", { class: "edge", role: "slider", tabIndex: 0 }), (edge, section, i) => {
        edge.section = i + 1;
        place(edge, scale.x(section.start));
        mark(edge, { "aria-label": `Where section ${i + 2} begins`, "aria-valuemin": 0,
          "aria-valuemax": scale.whole, "aria-valuenow": section.start.toFixed(3),
          "aria-valuetext": words(section.start, 2) });
      });
    this.drawChords();
    this.flash();
    const hits = (plan?.hits ?? []).filter((time) => time >= scale.from && time <= scale.to);
    children(this.hits, hits, () => make("i"), (tick, time) => place(tick, scale.x(time)));
  }

  drawBlock(block, section, i) {
    const { plan } = draft;
    const x = scale.x(section.start);
    const width = scale.x(section.end) - x;
    place(block, x, width);
    block.hidden = x > scale.width || x + width < 0;
    if (block.hidden) return;
    block.style.setProperty("--hue", section.theme ? hueOf(section.theme) : 0);
    block.classList.toggle("plain", !section.theme);
    block.classList.toggle("chosen", i === store.section);
    const { name, letter, key, facts, players } = block.parts;
    name.style.left = `${Math.max(0, -x)}px`;
    name.style.maxWidth = `${Math.max(0, Math.min(x + width, scale.width) - Math.max(0, x))}px`;
    say(letter, section.theme);
    letter.hidden = !section.theme;
    say(key, keyOf(plan.tonic, section.mode));
    const palette = section.palette.split("/").at(-1);
    say(facts, [loudness(section.level), palette].filter(Boolean).join(" · "));
    facts.hidden = width < 150;
    key.hidden = width < 60;
    block.classList.toggle("narrow", width < NARROW);
    const label = [`Section ${i + 1}, ${words(section.start)} to ${words(section.end)}`,
      section.theme && `theme ${section.theme}`, section.emotion, keyOf(plan.tonic, section.mode),
      section.instruments.join(", "),
      section.chords && `chords ${spoken(barsIn(plan, section))}`];
    mark(name, { "aria-pressed": i === store.section,
      "aria-label": label.filter(Boolean).join(", ") });
    children(players, store.health.instruments, () => make("i"), (bar, instrument) => {
      bar.dataset.instrument = instrument;
      bar.classList.toggle("off", !section.instruments.includes(instrument));
    });
  }

  /** Flash, once, what has become of sections that the answer to an edit has changed. */
  flash() {
    const { document: doc, film } = store;
    const { sections } = this;
    const was = this.drawn;
    this.drawn = { doc, film: film?.id, sections };
    if (!was?.doc || !doc || was.doc === doc || was.film !== film?.id) return;
    sections.forEach((section, i) => {
      const old = over(was.sections, section);
      if (old && shownOf(old) === shownOf(section)) return;
      const block = this.blocks.children[i];
      clearTimeout(block.timer);
      block.classList.remove("changed");
      block.getBoundingClientRect(); // what runs is begun again
      block.classList.add("changed");
      block.timer = setTimeout(() => block.classList.remove("changed"), FLASH);
    });
  }

  /** Write the chords at their places, and lines where bars begin, as far as there is room. */
  drawChords() {
    const { plan } = draft;
    const known = plan && plan === store.document?.plan ? store.document.places : null;
    const { bars, chords } = known ?? (plan ? placesOf(plan) : { bars: [], chords: [] });
    const inks = placed(chords, bars, this.sections, (text) => this.widthOf(text));
    const free = (x) => inks.every((ink) => x <= ink.x + 1 || x >= ink.x + ink.width - 2);
    const lines = bars.map((time) => scale.x(time)).filter((x) => x >= -1 && x <= scale.width);
    const roomy = lines.length * BAR <= scale.width;
    children(this.bars, roomy ? lines.filter(free) : [], () => make("i"), place);
    children(this.chords, inks, () => make("span"), (span, { x, text }) => {
      place(span, x);
      say(span, text);
    });
  }

  /** Return the pixels that a chord is wide. */
  widthOf(text) {
    this.pen ??= document.createElement("canvas").getContext("2d");
    const { fontStyle, fontWeight, fontSize, fontFamily } = getComputedStyle(this.chords);
    this.pen.font = `${fontStyle} ${fontWeight} ${fontSize} ${fontFamily}`;
    return this.pen.measureText(text).width;
  }

  /** Return what is at the pointer: {edge} or {section}. */
  at(event) {
    const x = this.x(event);
    const reach = event.pointerType === "touch" ? 2 * EDGE : EDGE;
    const apart = (i) => (i ? Math.abs(scale.x(this.sections[i].start) - x) : Infinity);
    const edge = this.sections.reduce((best, _, i) => (apart(i) < apart(best) ? i : best), 0);
    if (apart(edge) <= reach) return { edge };
    const time = scale.time(x);
    const section = this.sections.findIndex((one) => time < one.end);
    return { section: section < 0 ? this.sections.length - 1 : section };
  }

  press(down) {
    if (!this.sections.length) return;
    draft.flush();
    const { edge, section } = this.at(down);
    if (!edge) {
      follow(this.stage, down, { click: () => this.toggle(section) });
      return;
    }
    dragEdge(this, down, this.edges.children[edge - 1], {
      edge,
      name: "plan",
      moved: (plan, time) => ({ ...plan, sections: withEdge(plan.sections, edge, time) }),
      rows: (plan) => plan.sections,
      what: `moved the edge of section ${edge + 1}`,
    });
  }

  toggle(at) {
    store.set({ section: store.section === at ? null : at });
    this.blocks.children[at]?.parts.name.focus({ preventScroll: true });
  }

  hover(event) {
    if (event.buttons || !this.sections.length) return;
    this.stage.style.cursor = this.at(event).edge ? "ew-resize" : "pointer";
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.sections.length) return;
    const { target, key, shiftKey } = event;
    const { section: edge } = target;
    const way = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[key];
    const letter = key.toLowerCase();
    const own = [...this.blocks.children].indexOf(target.parentElement);
    if (edge && way) this.nudge(edge, way * (shiftKey ? 10 : 1));
    else if (edge && (key === "Delete" || key === "Backspace")) mergeNext(edge - 1);
    else if (letter === "s") splitHere();
    else if (letter === "m") mergeNext(edge ?? own);
    else if (key === "Escape" && store.section !== null) store.set({ section: null });
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  nudge(edge, by) {
    const { analysis, plan } = draft;
    const frames = framesOf(analysis.fps);
    const time = frames.at(frames.of(plan.sections[edge].start) + by);
    const now = { ...plan, sections: withEdge(plan.sections, edge, time) };
    draft.keepSoon(`moved the edge of section ${edge + 1}`, { plan: now });
    reveal(now.sections[edge].start);
    if (!clock.playing) clock.seek(now.sections[edge].start);
  }
}

const spoken = (bars) => bars.map((chords) => chords.join(" and ")).join(", ");

/** Return what the lane shows of a section, as one text. */
const shownOf = ({ theme, mode, chords, instruments, palette, level }) =>
  JSON.stringify([theme, mode, chords, instruments, palette, loudness(level)]);

/**
 * Return the chords that have room, {x, text}: where two would meet, the one stays that is first
 * in its section, then in a phrase, then in a bar.
 */
function placed(chords, bars, sections, widthOf) {
  const found = [];
  chords.forEach(({ time, name }, i) => {
    const [at, end] = [scale.x(time), scale.x(chords[i + 1]?.time ?? scale.whole)];
    if (end < 0 || at > scale.width) return;
    const text = printed(name);
    const section = sections.findLast((one) => one.start <= time + SAME) ?? sections[0];
    const first = bars.findIndex((bar) => bar >= section.start - SAME);
    const bar = bars.findIndex((one) => Math.abs(one - time) < SAME);
    const rank = bar < 0 ? 4 : bar === first ? 0 : [1, 3, 2, 3][(bar - first) & 3];
    found.push({ x: Math.max(0, at), width: GAP + widthOf(text), text, rank });
  });
  const shown = [];
  const fits = (one) => one.x + one.width <= scale.width && shown.every((other) =>
    one.x + one.width <= other.x || other.x + other.width <= one.x);
  const tryAll = (ones) => ones.filter((one) => {
    const room = fits(one);
    if (room) shown.push(one);
    return !room;
  });
  const left = tryAll(found.sort((a, b) => a.rank - b.rank));
  tryAll(left.map((one) => ({ ...one, text: DOT, width: GAP + widthOf(DOT) })));
  return shown.sort((a, b) => a.x - b.x);
}

/** Return a section of the lane, with its parts. */
function blockOf(lane) {
  const parts = {
    letter: make("b", { class: "letter" }),
    key: make("span"),
    facts: make("span", { class: "faint" }),
    players: make("div", { class: "players", "aria-hidden": "true" }),
  };
  parts.name = make("button", { class: "section-name", type: "button" },
    parts.letter, parts.key, parts.facts);
  parts.name.addEventListener("click", (event) => {
    if (!event.detail) lane.toggle([...lane.blocks.children].indexOf(block));
  });
  const block = make("div", { class: "section-block" }, parts.name, parts.players);
  block.parts = parts;
  return block;
}

customElements.define("em-plan", Plan);
