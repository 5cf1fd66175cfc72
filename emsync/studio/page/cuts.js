// The cuts: which of them the music answers, to move, add, remove and turn.

import { clock, words } from "./clock.js";
import { button, make, say } from "./dom.js";
import { draft } from "./draft.js";
import { addCut, framesOf, moveCut, removeCut, turnCut } from "./edits.js";
import { follow } from "./gesture.js";
import { onKeys } from "./keys.js";
import { Lane, children, mark, place, tell } from "./lane.js";
import { picturesAt } from "./pictures.js";
import { reveal } from "./ruler.js";
import { scale } from "./scale.js";
import { store } from "./store.js";
import { takeOf } from "./take.js";
import { capital } from "./words.js";

const NEAR = 12; // pixels from a cut that take hold of it
const FINGER = 22; // the same for a finger
const CROWDED = 18; // pixels that a cut has, below which handles are drawn narrow
const SAME = 0.002; // seconds
const NO_CUT = "No cut was seen. Press C, or click twice here, where the music shall answer.";
const HAND = "left out by hand";

const near = (cuts, time) => cuts.find((cut) => Math.abs(cut.time - time) <= SAME);

class Cuts extends Lane {
  static title = "Cuts";
  static shows = "document heard takes film";

  build() {
    this.chosen = null; // the time of the cut that is chosen
    this.hits = [];
    this.lines = make("div");
    this.ticks = make("div", { "aria-hidden": "true" });
    this.empty = make("p", { class: "empty" });
    this.stage.append(this.ticks, this.lines, this.empty);
    const tool = (words, icon, act) => button(words, act, { icon, kind: "quiet small" });
    this.remover = tool("Remove the cut (Del)", "trash", () => this.remove(this.cut));
    this.adder = tool("Cut at the playhead (C)", "plus", () => this.add(clock.time));
    this.tools.append(this.adder, this.remover);
    this.stage.addEventListener("pointerdown", (down) => this.press(down));
    this.stage.addEventListener("dblclick", (event) => this.double(event));
    this.stage.addEventListener("keydown", (event) => this.key(event));
    this.stage.addEventListener("pointermove", (event) => this.hover(event));
    this.stage.addEventListener("pointerleave", () => this.hover(null));
    this.stage.addEventListener("focusin", (event) => this.focused(event.target));
    this.stage.addEventListener("focusout", () => tell(null));
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
    this.hits = take?.cut_reports.filter((report) => report.hit) ?? [];
    this.soon();
  }

  draw() {
    const { cuts, cut: chosen } = this;
    const kept = cuts.filter((cut) => cut.kept).length;
    say(this.note, cuts.length ? `hits ${kept} of ${cuts.length}` : "");
    say(this.empty, draft.analysis && !cuts.length ? NO_CUT : "");
    const span = scale.to - scale.from;
    const seen = (cuts.length * span) / scale.whole;
    this.stage.classList.toggle("crowded", seen > scale.width / CROWDED);
    this.remover.disabled = !chosen;
    this.adder.disabled = !draft.analysis;
    const total = cuts.length;
    children(this.lines, cuts, () => make("div", { class: "cut", role: "slider", tabIndex: 0 },
      make("i", { class: "grip" })), (line, cut, i) => {
      line.cut = cut;
      place(line, scale.x(cut.time));
      line.className = `cut${cut.kept ? "" : " left"}${cut === chosen ? " chosen" : ""}`;
      mark(line, { "aria-label": `Cut ${i + 1} of ${total}`, "aria-valuemin": 0,
        "aria-valuemax": scale.whole, "aria-valuenow": cut.time.toFixed(3),
        "aria-valuetext": `${words(cut.time, 2)}, ${why(cut)}` });
      line.style.setProperty("--strength", cut.strength);
    });
    this.drawHits();
    this.refocus();
  }

  drawHits() {
    const inView = this.hits.filter(({ time }) => time >= scale.from && time <= scale.to);
    const room = scale.width / Math.max(1, inView.length) > 64;
    children(this.ticks, inView, () => make("span", { class: "hit" }), (tick, { time, hit }) => {
      place(tick, scale.x(time));
      const error = Math.round(hit.error_ms);
      say(tick, room ? `${error > 0 ? "+" : error < 0 ? "−" : ""}${Math.abs(error)} ms` : "");
    });
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
    const apart = (cut) => Math.abs(scale.x(cut.time) - x);
    const nearer = (one, cut) => (one && apart(one) <= apart(cut) ? one : cut);
    const best = this.cuts.reduce(nearer, null);
    return best && apart(best) <= reach ? best : null;
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
    follow(this.stage, down, {
      move: (event) => {
        now = moveCut(analysis, cut, frames.of(scale.time(this.x(event) + held)));
        this.chosen = now.cut.time;
        draft.show({ analysis: now.analysis });
        if (!clock.playing) clock.seek(now.cut.time);
        this.tell(now.cut);
      },
      end: () => {
        tell(null);
        if (now.cut !== cut) this.keep("moved a cut", now);
      },
      cancel: () => {
        tell(null);
        this.chosen = cut.time;
        draft.drop();
        if (!clock.playing) clock.seek(from);
      },
      click: (event) => {
        if (event.detail < 2) this.turn(cut);
      },
    });
  }

  double(event) {
    if (!this.at(event) && draft.analysis) this.add(scale.time(this.x(event)));
  }

  hover(event) {
    const cut = event && !event.buttons ? this.at(event) : null;
    this.stage.classList.toggle("over", Boolean(cut));
    if (cut === this.over) return;
    this.over = cut;
    if (cut) this.tell(cut);
    else if (!event?.buttons) tell(null);
  }

  focused(line) {
    if (!line.cut) return;
    this.choose(line.cut);
    reveal(line.cut.time);
    if (line.matches(":focus-visible")) this.tell(line.cut);
  }

  /** Tell of a cut in a bubble, with the pictures before it and after it. */
  tell(cut) {
    const frame = cut.frame === null ? "" : `, frame ${cut.frame}`;
    const [time, reason] = (this.words ??= [make("strong"), make("span")]);
    say(time, `${words(cut.time, 2)}${frame}`);
    say(reason, capital(why(cut)));
    tell(this.placeOf(cut.time), picturesAt(cut.time), time, reason);
  }

  key(event) {
    const { cut } = event.target;
    if (!cut || event.ctrlKey || event.metaKey) return;
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (by) this.nudge(cut, event.shiftKey ? 10 * by : by);
    else if (event.key === "Delete" || event.key === "Backspace") this.remove(cut);
    else if (event.key === "Enter" || event.key === " ") this.turn(cut);
    else if (event.key === "Escape") this.choose(null);
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
    this.tell(now.cut);
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
    this.tell(now.cut);
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
