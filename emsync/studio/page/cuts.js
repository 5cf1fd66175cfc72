// The cuts: which of them the music answers, to move, add, remove and turn.

import { clock, words } from "./clock.js";
import { button, make, say } from "./dom.js";
import { draft } from "./draft.js";
import { addCut, framesOf, moveCut, removeCut, turnCut } from "./edits.js";
import { dragging, follow } from "./gesture.js";
import { onKeys } from "./keys.js";
import { Lane, children, mark, place, tell } from "./lane.js";
import { picturesAt } from "./pictures.js";
import { reveal } from "./ruler.js";
import { scale } from "./scale.js";
import { store } from "./store.js";
import { takeOf, titleOf } from "./take.js";
import { capital } from "./words.js";

const NEAR = 12; // pixels from a cut that take hold of it
const FINGER = 22; // the same for a finger
const CROWDED = 18; // pixels that a cut has, below which handles are drawn narrow
const ROW = 24; // pixels of a row of handles, and between two of them in it
const ROWS = 3; // of handles at most, where fingers may take hold of them
const HANDLE = 14; // pixels from the top of the lane to the middle of the first handles
const MARK = 11; // pixels that a hit or a miss is wide
const LETTER = 6.2; // pixels of a letter beside it
const TOUCH = matchMedia("(any-pointer: coarse), (max-width: 640px)");
const SAME = 0.002; // seconds
const NO_CUT = "No cut was seen. Press C, or click twice here, where the music shall answer.";
const HAND = "left out by hand";

const near = (cuts, time) => cuts.find((cut) => Math.abs(cut.time - time) <= SAME);

class Cuts extends Lane {
  static title = "Cuts";
  static shows = "document heard takes film";

  build() {
    this.chosen = null; // the time of the cut that is chosen
    this.reports = []; // what the piece that is heard makes of the cuts that it is to hit
    this.open = false; // whether what is said of the chosen cut stays
    this.lines = make("div");
    this.ticks = make("div", { "aria-hidden": "true" });
    this.empty = make("p", { class: "empty" });
    this.stage.append(this.ticks, this.lines, this.empty);
    const tool = (words, icon, act) => button(words, act, { icon, kind: "quiet small" });
    this.remover = tool("Remove the cut (Del)", "trash", () => this.remove(this.cut));
    this.adder = tool("Cut at the playhead (C)", "plus", () => this.add(clock.time));
    this.turner = tool("Let the music answer the cut (Enter)", "check", () => this.turn(this.cut));
    this.tools.append(this.adder, this.remover, this.turner);
    this.stage.addEventListener("pointerdown", (down) => this.press(down));
    this.stage.addEventListener("dblclick", (event) => this.double(event));
    this.stage.addEventListener("keydown", (event) => this.key(event));
    this.stage.addEventListener("pointermove", (event) => this.hover(event));
    this.stage.addEventListener("pointerleave", () => this.hover(null));
    this.stage.addEventListener("focusin", (event) => this.focused(event.target));
    this.stage.addEventListener("focusout", (event) => this.left(event.relatedTarget));
    addEventListener("scroll", () => this.open && this.rest(), { capture: true, passive: true });
    TOUCH.addEventListener("change", () => this.soon());
    onKeys({ c: () => draft.analysis && this.add(clock.time) });
    store.on("heard takes", () => this.hear());
  }

  get cuts() {
    return draft.analysis?.cuts ?? [];
  }

  /** The cut that is chosen, or null. */
  get cut() {
    return this.chosen === null ? null : (near(this.cuts, this.chosen) ?? null);
  }

  /** Read which cuts the piece that is heard hits. */
  async hear() {
    const id = store.heard;
    const take = id ? await takeOf(id).catch(() => null) : null; // the roll says why
    if (id !== store.heard) return;
    this.reports = take?.cut_reports.filter((report) => report.hit || report.kept) ?? [];
    this.piece = take && titleOf(take);
    this.soon();
  }

  draw() {
    const { cuts, cut: chosen } = this;
    const kept = cuts.filter((cut) => cut.kept).length;
    say(this.note, cuts.length ? `hits ${kept} of ${cuts.length}` : "");
    say(this.empty, draft.analysis && !cuts.length ? NO_CUT : "");
    const span = scale.to - scale.from;
    const most = TOUCH.matches ? ROWS : 1;
    const shown = rowsOf(cuts.map((cut) => scale.x(cut.time)), most);
    const whole = rowsOf(cuts.map((cut) => (cut.time / scale.whole) * scale.width), most);
    this.rows = new Map(cuts.map((cut, i) => [cut, shown[i]]));
    this.count = 1 + Math.max(0, ...whole); // the same however far one has zoomed in
    this.stage.style.setProperty("--rows", this.count);
    const seen = (cuts.length * span) / scale.whole / this.count;
    this.stage.classList.toggle("crowded", seen > scale.width / CROWDED);
    this.remover.disabled = this.turner.disabled = !chosen;
    mark(this.turner, { "aria-pressed": String(Boolean(chosen?.kept)) });
    this.adder.disabled = !draft.analysis;
    const total = cuts.length;
    children(this.lines, cuts, () => make("div", { class: "cut", role: "slider", tabIndex: 0 },
      make("i", { class: "grip" })), (line, cut, i) => {
      const met = this.met(cut);
      line.cut = cut;
      place(line, scale.x(cut.time));
      line.className = `cut${cut.kept ? "" : " left"}${cut === chosen ? " chosen" : ""}`;
      mark(line, { "aria-label": `Cut ${i + 1} of ${total}`, "aria-valuemin": 0,
        "aria-valuemax": scale.whole, "aria-valuenow": cut.time.toFixed(3),
        "aria-valuetext": `${words(cut.time, 2)}, ${why(cut)}${met && `, ${met}`}` });
      line.style.setProperty("--row", shown[i]);
    });
    this.drawHits();
    this.refocus();
    if (this.open && !this.over && !dragging()) this.rest();
  }

  /** Mark below the cuts which of them are hit and missed, as far as there is room. */
  drawHits() {
    const inView = this.reports.filter(({ time }) => time >= scale.from && time <= scale.to);
    this.stage.classList.toggle("judged", this.reports.length > 0);
    const marks = roomy(inView.map(({ time, hit }) => ({ x: scale.x(time), hit })));
    children(this.ticks, marks, () => make("span"), (tick, { x, hit, text }) => {
      tick.className = hit ? "hit" : "hit missed";
      place(tick, x);
      say(tick, text);
    });
  }

  /** Return in words what the piece that is heard makes of a cut; "" where it is not known. */
  met(cut) {
    const report = near(this.reports, cut.time);
    if (!report || !cut.kept) return "";
    const { hit, nearest } = report;
    if (hit) return `${this.piece} hits it${late(hit.error_ms)}`;
    return `${this.piece} misses it${nearest ? `: its nearest note is${
      late(nearest.error_ms).slice(1)}` : ""}`;
  }

  /** Keep the focus on the cut that had it, whatever its number is now. */
  refocus() {
    const line = document.activeElement;
    if (this.chosen === null || !this.lines.contains(line)) return;
    const own = [...this.lines.children].find((one) => near([one.cut], this.chosen));
    if (own && own !== line) own.focus({ preventScroll: true });
  }

  choose(cut) {
    this.chosen = cut?.time ?? null;
    this.soon();
  }

  /** Return the cut at the pointer. */
  at(event) {
    const x = this.x(event);
    const reach = event.pointerType === "touch" ? FINGER : NEAR;
    const y = event.clientY - this.stage.getBoundingClientRect().top;
    const aside = (cut) => Math.abs(scale.x(cut.time) - x);
    const above = (cut) => (this.count > 1 ? y - HANDLE - ROW * (this.rows.get(cut) ?? 0) : 0);
    const apart = (cut) => Math.hypot(aside(cut), above(cut));
    const nearer = (one, cut) => (one && apart(one) <= apart(cut) ? one : cut);
    return this.cuts.filter((cut) => aside(cut) <= reach).reduce(nearer, null);
  }

  line(cut) {
    return [...this.lines.children].find((line) => line.cut === cut) ?? null;
  }

  press(down) {
    const cut = this.at(down);
    if (!cut) {
      this.choose(null);
      follow(this.stage, down, { click: (event) => clock.seek(scale.time(this.x(event))) });
      return;
    }
    draft.flush();
    const { analysis } = draft;
    const frames = framesOf(analysis.fps);
    const held = scale.x(cut.time) - this.x(down);
    const from = clock.time;
    let now = { analysis, cut };
    this.line(cut)?.focus({ preventScroll: true });
    this.choose(cut);
    this.open = true;
    follow(this.stage, down, {
      move: (event) => {
        now = moveCut(analysis, cut, frames.of(scale.time(this.x(event) + held)));
        this.chosen = now.cut.time;
        draft.show({ analysis: now.analysis });
        if (!clock.playing) clock.seek(now.cut.time);
        this.tell(now.cut);
      },
      end: () => {
        this.open = false;
        this.rest();
        if (now.cut !== cut) this.keep("moved a cut", now);
      },
      cancel: () => {
        this.open = false;
        this.rest();
        this.chosen = cut.time;
        draft.drop();
        if (!clock.playing) clock.seek(from);
      },
      click: () => this.rest(),
    });
  }

  double(event) {
    const cut = this.at(event);
    if (cut) this.turn(cut);
    else if (draft.analysis) this.add(scale.time(this.x(event)));
  }

  hover(event) {
    const cut = event && !event.buttons ? this.at(event) : null;
    this.stage.classList.toggle("over", Boolean(cut));
    if (cut === this.over) return;
    this.over = cut;
    if (cut && !(this.open && cut === this.cut)) this.tell(cut);
    else if (!event?.buttons) this.rest();
  }

  /** Say of the chosen cut what stays said of it, or nothing. */
  rest() {
    const { cut } = this;
    const shown = this.open && cut && cut.time >= scale.from && cut.time <= scale.to;
    if (shown) this.tell(cut, true);
    else tell(null);
  }

  /** The focus went to another element, or out of the page. */
  left(to) {
    if (this.lines.contains(to)) return;
    this.open = false;
    tell(null);
  }

  focused(line) {
    if (!line.cut) return;
    this.choose(line.cut);
    reveal(line.cut.time);
    if (line.matches(":focus-visible")) this.open = true;
    if (this.open) this.rest();
  }

  /** Tell of a cut in a bubble, with the pictures before it and after it. */
  tell(cut, stays = false) {
    const frame = cut.frame === null ? "" : `, frame ${cut.frame}`;
    this.words ??= {
      time: make("strong"), reason: make("span"), met: make("span"),
      turn: button("", () => this.turn(this.cut), { kind: "small", tabIndex: -1 }),
    };
    const { time, reason, met, turn } = this.words;
    say(time, `${words(cut.time, 2)}${frame}`);
    say(reason, capital(why(cut)));
    say(met, capital(this.met(cut)));
    say(turn, cut.kept ? "Leave it out" : "Answer it");
    tell(this.placeOf(cut.time), picturesAt(cut.time), time, reason,
      ...(met.textContent ? [met] : []), ...(stays ? [turn] : []));
  }

  key(event) {
    const { cut } = event.target;
    if (!cut || event.ctrlKey || event.metaKey) return;
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (by) this.nudge(cut, event.shiftKey ? 10 * by : by);
    else if (event.key === "Delete" || event.key === "Backspace") this.remove(cut);
    else if (event.key === "Enter" || event.key === " ") this.turn(cut);
    else if (event.key === "Escape") this.shut();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  nudge(cut, by) {
    const { analysis } = draft;
    const now = moveCut(analysis, cut, (cut.frame ?? framesOf(analysis.fps).of(cut.time)) + by);
    if (now.cut === cut) return;
    this.chosen = now.cut.time;
    draft.keepSoon("moved a cut", { analysis: now.analysis });
    reveal(now.cut.time);
    if (!clock.playing) clock.seek(now.cut.time);
    this.open = true;
    this.rest();
  }

  shut() {
    this.open = false;
    this.choose(null);
    tell(null);
  }

  add(time) {
    draft.flush();
    const now = addCut(draft.analysis, framesOf(draft.analysis.fps).of(time));
    if (now.cut) this.keep("added a cut", now);
  }

  turn(cut) {
    draft.flush();
    const seen = near(store.seen?.cuts ?? [], cut.time);
    const reason = cut.kept ? (seen && !seen.kept ? seen.reason : HAND) : "by hand";
    const now = turnCut(draft.analysis, cut, reason);
    this.keep(cut.kept ? "left out a cut" : "answered a cut", now);
    if (this.open) this.rest();
  }

  remove(cut) {
    draft.flush();
    const { cuts } = this;
    const next = cuts[cuts.indexOf(cut) + 1] ?? cuts[cuts.indexOf(cut) - 1];
    const focused = this.lines.contains(document.activeElement);
    tell(null);
    this.choose(focused ? next : null);
    draft.keep("removed a cut", { analysis: removeCut(draft.analysis, cut) });
  }

  keep(what, { analysis, cut }) {
    this.choose(cut);
    draft.keep(what, { analysis });
  }
}

/** Return the row of each handle, so that those of a row are apart as far as `most` rows allow. */
function rowsOf(places, most) {
  const last = Array(most).fill(-Infinity); // of each row
  return places.map((x) => {
    const free = last.findIndex((one) => x - one >= ROW);
    const row = free >= 0 ? free : last.indexOf(Math.min(...last));
    last[row] = x;
    return row;
  });
}

/** Return the marks that have room, misses first, each with what there is room to say beside it. */
function roomy(marks) {
  const kept = [];
  for (const one of [...marks].sort((a, b) => Boolean(a.hit) - Boolean(b.hit))) {
    if (kept.every((other) => Math.abs(other.x - one.x) >= MARK)) kept.push(one);
  }
  kept.sort((a, b) => a.x - b.x);
  return kept.map(({ x, hit }, i) => {
    const text = hit ? `${sign(hit.error_ms)} ms` : "missed";
    const room = Math.min(kept[i + 1]?.x ?? Infinity, scale.width) - x - MARK;
    return { x, hit, text: room >= MARK + LETTER * text.length ? text : "" };
  });
}

/** Return thousandths of a second as "+3", "−3" or "0". */
function sign(error) {
  const whole = Math.round(error);
  return `${whole > 0 ? "+" : whole < 0 ? "−" : ""}${Math.abs(whole)}`;
}

/** Return ", 3 ms late", ", 3 ms early" or " to the millisecond". */
function late(error) {
  const whole = Math.round(error);
  return whole ? `, ${Math.abs(whole)} ms ${whole > 0 ? "late" : "early"}` : " to the millisecond";
}

/** Return in words whether the music answers a cut. */
function why(cut) {
  if (cut.kept && cut.kind === "fade") return "a fade that the music answers";
  if (cut.kept) return "the music answers it";
  const { reason } = cut;
  if (!reason || reason === HAND) return HAND;
  const told = reason.replace(/(\d+\.\d+) s$/, (_, at) => words(Number(at), 2));
  return /stronger cut/.test(reason) ? `left out: too near, ${told}` : `left out: ${told}`;
}

customElements.define("em-cuts", Cuts);
