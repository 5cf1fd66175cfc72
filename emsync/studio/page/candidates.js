// The pieces as rows of a table, to be compared: what each is worth, which is heard, which is kept.
// Drafts of a stretch lie under the piece that they were made of, the smoothest seam first told.

import { ask } from "./api.js";
import { clock } from "./clock.js";
import { button, icon, make, redrawn } from "./dom.js";
import { onKeys } from "./keys.js";
import { cleared, colours } from "./paint.js";
import { attempt, bestOf, store } from "./store.js";
import { barWords, hourOf, slots, summaryOf, takeOf, titleOf } from "./take.js";
import { capital, keyWords } from "./words.js";

const PARTS = [ // of a score: its key, what it is called, and what it says
  ["hits", "Hits", "How many of the film's cuts the music meets, and how strongly"],
  ["mood", "Mood", "How near the harmony is to the feeling of the film"],
  ["density", "Busyness", "How well the number of notes goes with how stirred the film is"],
  ["likeness", "Sounds like music", "How near its statistics are to those of people's pieces"],
  ["plan", "Follows the plan", "How much of the planned harmony it plays"],
  ["rhythm", "Moves with the picture", "How well its rhythm goes with the film's motion"],
];
const SEAMS = "How smoothly it joins what is kept, among the drafts of the same bars";
const PLACES = ["best seam", "second", "third"];
const SKETCH = { width: 320, height: 26 }; // pixels of a piece's notes, drawn small
const STRETCH = { width: 96, height: 20 }; // of the bars of a draft that are new

let chosen = false; // whether a person chose what is heard

/** Let a take be heard. */
export function hear(id) {
  chosen = true;
  if (summaryOf(id)) store.set({ heard: id });
}

/** Keep a take: the version has it. */
export function keep(take) {
  hear(take.id);
  return store.edit(`kept ${titleOf(take)}`, { take: take.id });
}

class Candidates extends HTMLElement {
  connectedCallback() {
    this.cards = new Map(); // by id
    this.asked = null; // the id of the take that is to be deleted, once that is confirmed
    this.kept = undefined;
    this.laid = ""; // which takes are laid out
    store.on("takes heard document film", () => redrawn(this, () => this.#draw()));
    store.on("document", () => this.#follow());
    store.on("job", () => this.#begin());
    addEventListener("theme", () => this.#redraw());
    onKeys(Object.fromEntries(Array.from({ length: 8 }, (_, slot) => [
      String(slot + 1), () => hear(slots()[slot]?.id),
    ])));
  }

  /** Where another version keeps another piece, that is heard. */
  #follow() {
    const kept = store.document?.take ?? null;
    const moved = this.kept !== undefined && kept && kept !== this.kept;
    this.kept = store.document ? kept : undefined;
    if (moved && kept !== store.heard) hear(kept);
  }

  /** Once the first pieces are there, the highest is heard, unless a person listens to another. */
  #begin() {
    const { job, film, takes } = store;
    if (film?.id !== this.film) chosen = false;
    this.film = film?.id;
    const first = job?.kind === "compose" && job.state === "done"
      && takes.every((take) => take.run === job.id);
    if (first && !chosen && !clock.playing) store.set({ heard: bestOf(takes)?.id ?? null });
  }

  #draw() {
    for (const id of this.cards.keys()) if (!summaryOf(id)) this.cards.delete(id);
    const laid = JSON.stringify([store.film?.id, store.takes.map((take) => take.id)]);
    if (laid !== this.laid) {
      this.laid = laid;
      this.#lay();
    }
    for (const take of store.takes) this.#update(take, this.cards.get(take.id));
    for (const since of this.querySelectorAll(".since")) {
      const take = summaryOf(since.dataset.take);
      since.textContent = take && changedSince(take) ? "before later changes" : "";
    }
  }

  #lay() {
    if (!store.film) return this.replaceChildren();
    const runs = [...new Set(tops().map((take) => take.run))].reverse(); // the newest first
    this.replaceChildren(...(runs.length
      ? runs.map((run, nth) => this.#run(run, nth))
      : [make("p", { class: "nothing faint" },
        "No pieces yet. Press Compose, and each appears here as soon as it can be heard.")]));
    return undefined;
  }

  #run(run, nth) {
    const takes = tops().filter((take) => take.run === run);
    const pieces = takes.length === 1 ? "1 piece" : `${takes.length} pieces`;
    const title = `${pieces}, composed at ${hourOf(takes[0])}`;
    if (nth === 0) return make("section", { class: "run" }, this.#table(takes, title));
    const open = takes.some((take) => family(take).some((one) => one.id === store.heard));
    const was = this.querySelector(`[data-run="${run}"]`)?.open;
    return make("details", { class: "run", open: open || was, "data-run": run },
      make("summary", {}, title), this.#table(takes, ""));
  }

  #table(takes, title) {
    const shown = PARTS.filter(([key]) => takes.some((take) => key in take.parts));
    const since = make("span", { class: "since" });
    since.dataset.take = takes[0].id;
    const head = make("tr", {},
      make("th", { scope: "colgroup", colspan: "2", class: "of" }, title, since),
      make("th", { scope: "col", title: "Its score: the mean of what follows, by weight" },
        "Score"),
      ...shown.map(([, name, says]) => make("th", { scope: "col", title: says }, name)),
      make("td", {}));
    const columns = ["score", ...shown.map(([key]) => key)];
    const top = Object.fromEntries(columns.map((key) => [key, highest(takes, key)]));
    const rows = takes.flatMap((take) => {
      const card = this.#card(take, () => this.#row(take, shown));
      for (const cell of card.cells) {
        tellBest(cell, Number(cell.dataset.value) === top[cell.dataset.key]);
      }
      return [card.element, ...this.#drafts(take, shown.length + 4)];
    });
    return make("table", { class: "pieces", "aria-label": "Pieces, to be compared" },
      make("thead", {}, head), make("tbody", {}, ...rows));
  }

  /** The drafts of a piece, run by run, and theirs: a row of the table for each run. */
  #drafts(parent, columns) {
    const drafts = store.takes.filter((take) => take.parent === parent.id);
    const runs = [...new Set(drafts.map((take) => take.run))];
    return runs.flatMap((run) => {
      const takes = drafts.filter((take) => take.run === run);
      const title = make("h3", {}, `Drafts of ${titleOf(parent)}`);
      if (takes[0].range) {
        takeOf(takes[0].id).then((whole) => {
          const [from, to] = takes[0].range;
          const bars = barWords(whole, { from, to });
          title.textContent = `${capital(titleOf(parent))} with ${bars} anew`;
        }, () => {});
      }
      const chips = takes.map((take) => this.#card(take, () => this.#draft(take)).element);
      return [
        make("tr", { class: "drafts" }, make("td", { colspan: String(columns) },
          title, make("ul", { class: "chips" }, ...chips))),
        ...takes.flatMap((take) => this.#drafts(take, columns)),
      ];
    });
  }

  #card(take, build) {
    let card = this.cards.get(take.id);
    if (!card) {
      card = build();
      this.cards.set(take.id, card);
      this.#sketch(take, card);
    }
    return card;
  }

  /** Say which is heard, which is kept, and how drafts rank. */
  #update(take, card) {
    const { element } = card;
    const isHeard = store.heard === take.id;
    const isKept = store.document?.take === take.id;
    const slot = slots().findIndex((one) => one.id === take.id);
    element.classList.toggle("heard", isHeard);
    element.classList.toggle("kept", isKept);
    card.hear.setAttribute("aria-pressed", String(isHeard));
    card.slot.textContent = slot >= 0 ? String(slot + 1) : "";
    card.slot.hidden = slot < 0;
    card.slot.title = `Key ${slot + 1}`;
    if (card.rank) card.rank.textContent = seamWords(take);
    card.star.setAttribute("aria-pressed", String(isKept));
    const words = isKept ? `${capital(titleOf(take))} is kept` : `Keep ${titleOf(take)}`;
    card.star.title = words;
    card.star.setAttribute("aria-label", words);
    card.sure.hidden = this.asked !== take.id;
  }

  /** What a row and a draft have alike. */
  #parts(take) {
    const roll = make("canvas", { class: "sketch", "aria-hidden": "true" });
    const slot = make("kbd", { class: "slot", "aria-hidden": "true" });
    const number = make("span", { class: "number" },
      make("span", { class: "only-heard" }, "Hear piece "), take.name);
    const star = button("Keep", () => keep(take), { icon: "star", kind: "quiet small star" });
    const bin = button(`Delete ${titleOf(take)}`, () => this.#ask(take),
      { icon: "trash", kind: "quiet small" });
    const sure = make("div", { class: "sure", role: "group", "aria-label": "Delete it?" },
      make("p", {}, `Delete ${titleOf(take)} for good?`),
      button("Delete", () => this.#remove(take), { kind: "danger small" }),
      button("Leave it", () => this.#ask(null), { kind: "small" }));
    sure.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#ask(null);
    });
    return { roll, slot, number, star, bin, sure };
  }

  #row(take, shown) {
    const card = this.#parts(take);
    const { roll, slot, number, star, bin, sure } = card;
    card.hear = make("button", { type: "button", class: "hear", "aria-pressed": "false",
      onclick: () => hear(take.id) }, number, icon("loud"), slot);
    const score = worth("score", "Score", take.score);
    card.cells = [score, ...shown.map(([key, name]) => worth(key, name, take.parts[key]))];
    card.element = make("tr", { class: "piece",
      onclick: (event) => event.target.closest("button, .sure") || hear(take.id) },
    make("th", { scope: "row" }, card.hear),
    make("td", { class: "notes", title: `${take.notes} notes` }, roll, make("span", {
      class: "facts" }, `${hitsWords(take)} · ${keyWords(take.key)} · ${Math.round(take.tempo)}`)),
    ...card.cells,
    make("td", { class: "acts" }, star, bin, sure));
    return card;
  }

  #draft(take) {
    const card = this.#parts(take);
    const { roll, slot, number, star, bin, sure } = card;
    card.rank = make("span", { class: "rank small" });
    card.hear = make("button", { type: "button", class: "hear", "aria-pressed": "false",
      title: SEAMS, onclick: () => hear(take.id) },
    number, icon("loud"), roll, card.rank, slot);
    card.element = make("li", { class: "piece draft" }, card.hear, star, bin, sure);
    return card;
  }

  #ask(take) {
    const before = this.asked;
    this.asked = take?.id ?? null;
    this.#draw();
    const card = this.cards.get(this.asked ?? before);
    (this.asked ? card?.sure.querySelector(".danger") : card?.bin)?.focus();
  }

  async #remove(take) {
    this.asked = null;
    await attempt(async () => {
      await ask("DELETE", `/api/takes/${take.id}`);
      const takes = store.takes.filter((one) => one.id !== take.id);
      const next = take.parent && takes.some((one) => one.id === take.parent)
        ? take.parent : takes.at(-1)?.id ?? null;
      store.set({ takes, heard: store.heard === take.id ? next : store.heard });
      store.say(`${capital(titleOf(take))} is deleted.`);
    });
    this.#draw();
    this.querySelector(".heard .hear")?.focus();
  }

  #sketch(take, card) {
    const size = card.rank ? STRETCH : SKETCH;
    takeOf(take.id).then((whole) => {
      sketch(card.roll, whole, size, (card.rank && take.range) || [0, whole.duration]);
    }, () => {});
  }

  #redraw() {
    for (const [id, card] of this.cards) if (summaryOf(id)) this.#sketch(summaryOf(id), card);
  }
}

/** Takes that no take on the page was the parent of. */
function tops() {
  return store.takes.filter((take) => !take.parent || !summaryOf(take.parent));
}

/** A take with all drafts of it. */
function family(take) {
  const drafts = store.takes.filter((one) => one.parent === take.id);
  return [take, ...drafts.flatMap(family)];
}

/** The highest value of a column, where the takes differ in it; null where none is better. */
function highest(takes, key) {
  const values = takes.map((take) => shareOf(key === "score" ? take.score : take.parts[key]));
  const most = Math.max(...values);
  return values.some((value) => value < most) ? most : null;
}

const shareOf = (value) => Math.round(100 * (value ?? 0));

/** Where a draft ranks among those of the same bars, by how it joins what is kept. */
function seamWords(take) {
  const drafts = store.takes.filter(({ run }) => run === take.run);
  if (drafts.length < 2 || !drafts.every(({ parts }) => "seam" in parts)) return "";
  const place = drafts.filter(({ parts }) => parts.seam > take.parts.seam).length;
  return PLACES[place] ?? `${place + 1}th`;
}

/** Whether the plan or the wishes are others by now than those that a take was composed of. */
function changedSince({ version }) {
  const { versions = [], version: now } = store.document ?? {};
  const [low, high] = [Math.min(version, now), Math.max(version, now)];
  const between = versions.filter(({ number }) => number > low && number <= high);
  return !versions.some(({ number }) => number === version)
    || between.some(({ what }) => !/^kept /.test(what));
}

function hitsWords({ hits, cuts }) {
  if (!cuts) return "No cuts";
  return `${hits} of ${cuts} ${cuts === 1 ? "cut" : "cuts"}`;
}

/** A cell of the table: a value of 100, as a number and as a bar. */
function worth(key, name, value) {
  const share = shareOf(value);
  const fill = make("div", {});
  fill.style.width = `${share}%`;
  const cell = make("td", { class: key === "score" ? "worth total" : "worth" },
    make("span", { class: "share" }, String(share)), make("span", { class: "only-heard" }),
    make("div", { class: "bar", "aria-hidden": "true" }, fill));
  Object.assign(cell.dataset, { key, name, value: share });
  return cell;
}

/** Mark a cell as the best of its column, or not. */
function tellBest(cell, best) {
  cell.classList.toggle("best", best);
  cell.querySelector(".only-heard").textContent = best ? ", the best" : "";
}

/** Draw a take's notes small, between two moments. */
function sketch(canvas, take, { width, height }, [from, to]) {
  const { start, end, pitch, player } = take.columns;
  const paint = cleared(canvas, width, height);
  Object.assign(canvas.style, { width: "", height: "" }); // as the page has room for it
  const look = colours();
  const tuned = pitch.filter((_, n) => take.players[player[n]].instrument !== "drums");
  const [low, high] = [Math.min(...tuned, 60), Math.max(...tuned, 61)];
  const x = (time) => ((time - from) / (to - from)) * width;
  paint.globalAlpha = 0.85;
  for (let n = 0; n < start.length; n += 1) {
    if (end[n] <= from || start[n] >= to) continue;
    const { instrument } = take.players[player[n]];
    const drums = instrument === "drums";
    const y = drums ? height - 2.5 : (height - 6) * (1 - (pitch[n] - low) / (high - low)) + 1;
    const length = drums ? 1 : Math.max(1, x(end[n]) - x(start[n]) - 0.3);
    paint.fillStyle = look[instrument];
    paint.fillRect(x(start[n]), y, length, 1.5);
  }
}

customElements.define("em-candidates", Candidates);
