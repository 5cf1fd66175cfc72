// The pieces as cards: what each is worth, which is heard, which is kept. Drafts of a stretch lie
// under the piece that they were made of.

import { ask } from "./api.js";
import { button, icon, make, redrawn } from "./dom.js";
import { onKeys } from "./keys.js";
import { cleared, colours } from "./paint.js";
import { attempt, store } from "./store.js";
import { barWords, hourOf, keyWords, slots, summaryOf, takeOf, titleOf } from "./take.js";
import { capital } from "./words.js";

const PARTS = [ // of a score: its key, what it is called, and what it says
  ["hits", "Hits", "How many of the film's cuts the music meets, and how strongly"],
  ["mood", "Mood", "How near the harmony is to the feeling of the film"],
  ["density", "Busyness", "How well the number of notes goes with how stirred the film is"],
  ["likeness", "Sounds like music", "How near its statistics are to those of people's pieces"],
  ["plan", "Follows the plan", "How much of the planned harmony it plays"],
  ["rhythm", "Moves with the picture", "How well its rhythm goes with the film's motion"],
  ["seam", "Seams", "How smoothly what is new joins what is kept"],
];

/** Let a take be heard. */
export function hear(id) {
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

  #draw() {
    for (const id of this.cards.keys()) if (!summaryOf(id)) this.cards.delete(id);
    const laid = JSON.stringify([store.film?.id, store.takes.map((take) => take.id)]);
    if (laid !== this.laid) {
      this.laid = laid;
      this.#lay();
    }
    for (const take of store.takes) this.#update(take, this.cards.get(take.id));
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
    const cards = make("ul", { class: "cards" }, ...takes.map((take) => this.#card(take)));
    const drafts = takes.flatMap((take) => this.#drafts(take));
    if (nth === 0) {
      return make("section", { class: "run" }, make("h2", {}, title), cards, ...drafts);
    }
    const open = takes.some((take) => family(take).some((one) => one.id === store.heard));
    const was = this.querySelector(`[data-run="${run}"]`)?.open;
    return make("details", { class: "run", open: open || was, "data-run": run },
      make("summary", {}, title), cards, ...drafts);
  }

  /** The drafts of a piece, run by run, and theirs. */
  #drafts(parent) {
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
      return [
        make("div", { class: "drafts" }, title,
          make("ul", { class: "cards" }, ...takes.map((take) => this.#card(take)))),
        ...takes.flatMap((take) => this.#drafts(take)),
      ];
    });
  }

  #card(take) {
    let card = this.cards.get(take.id);
    if (!card) {
      card = this.#build(take);
      this.cards.set(take.id, card);
      takeOf(take.id).then((whole) => sketch(card.roll, whole), () => {});
    }
    return card.element;
  }

  /** Say which is heard, which is kept, and which is the best. */
  #update(take, card) {
    const { element } = card;
    const isHeard = store.heard === take.id;
    const isKept = store.document?.take === take.id;
    const slot = slots().findIndex((one) => one.id === take.id);
    element.classList.toggle("heard", isHeard);
    element.classList.toggle("kept", isKept);
    card.hear.setAttribute("aria-pressed", String(isHeard));
    card.state.replaceChildren(...(isHeard ? [icon("loud"), "Heard"] : []));
    card.slot.textContent = slot >= 0 ? `key ${slot + 1}` : "";
    card.best.hidden = best(take) !== take;
    card.star.setAttribute("aria-pressed", String(isKept));
    const words = isKept ? `${capital(titleOf(take))} is kept` : `Keep ${titleOf(take)}`;
    card.star.title = words;
    card.star.setAttribute("aria-label", words);
    card.sure.hidden = this.asked !== take.id;
  }

  #build(take) {
    const roll = make("canvas", { class: "sketch", "aria-hidden": "true" });
    const state = make("span", { class: "state" });
    const slot = make("span", { class: "slot small faint" });
    const best_ = make("span", { class: "chip" }, "highest");
    const facts = [keyWords(take.key), `${Math.round(take.tempo)} a minute`, `${take.notes} notes`];
    const hear_ = make("button", { type: "button", class: "hear", "aria-pressed": "false",
      onclick: () => hear(take.id) },
    make("span", { class: "head" },
      make("span", { class: "number" },
        make("span", { class: "only-heard" }, "Hear piece "), take.name),
      state, slot),
    roll,
    make("span", { class: "facts" }, facts.join(" · ")),
    make("span", { class: "hits" }, hitsWords(take)));
    const star = button("Keep", () => keep(take), { icon: "star", kind: "quiet small" });
    const bin = button(`Delete ${titleOf(take)}`, () => this.#ask(take),
      { icon: "trash", kind: "quiet small" });
    const sure = make("div", { class: "sure", role: "group", "aria-label": "Delete it?" },
      make("p", {}, `Delete ${titleOf(take)} for good?`),
      button("Delete", () => this.#remove(take), { kind: "danger small" }),
      button("Leave it", () => this.#ask(null), { kind: "small" }));
    sure.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#ask(null);
    });
    const score = make("div", { class: "score" },
      make("span", { class: "total", title: "Its score: the mean of what is below, by weight" },
        `Score ${Math.round(100 * take.score)}`),
      best_, star, bin);
    const element = make("li", { class: take.parent ? "piece card draft" : "piece card" },
      hear_, score, parts(take), sure);
    return { element, roll, state, slot, best: best_, hear: hear_, star, sure };
  }

  #ask(take) {
    const before = this.asked;
    this.asked = take?.id ?? null;
    this.#draw();
    const card = this.cards.get(this.asked ?? before)?.element;
    card?.querySelector(this.asked ? ".sure .danger" : ".score button:last-child")?.focus();
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

  #redraw() {
    for (const [id, card] of this.cards) {
      takeOf(id).then((whole) => sketch(card.roll, whole), () => {});
    }
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

/** Of several takes of a run the one with the highest score. */
function best({ run }) {
  const takes = store.takes.filter((take) => take.run === run);
  return takes.length > 1 ? takes.reduce((a, b) => (b.score > a.score ? b : a)) : null;
}

function hitsWords({ hits, cuts }) {
  if (!cuts) return "No cuts to hit";
  return `Hits ${hits} of ${cuts} ${cuts === 1 ? "cut" : "cuts"}`;
}

function parts(take) {
  const rows = PARTS.filter(([key]) => key in take.parts).map(([key, name, says]) => {
    const share = Math.round(100 * take.parts[key]);
    const fill = make("div", {});
    fill.style.width = `${share}%`;
    return make("div", { class: "part", title: says },
      make("dt", {}, name),
      make("dd", {}, make("div", { class: "bar", "aria-hidden": "true" }, fill),
        make("span", { class: "share" }, String(share))));
  });
  return make("dl", { class: "parts", "aria-label": "Score, of 100" }, ...rows);
}

/** Draw a take's notes small. */
function sketch(canvas, take) {
  const { start, end, pitch, player } = take.columns;
  const [width, height] = [240, 40];
  const paint = cleared(canvas, width, height);
  canvas.style.width = "100%";
  const look = colours();
  const tuned = pitch.filter((_, n) => take.players[player[n]].instrument !== "drums");
  const [low, high] = [Math.min(...tuned, 60), Math.max(...tuned, 61)];
  paint.globalAlpha = 0.85;
  for (let n = 0; n < start.length; n += 1) {
    const { instrument } = take.players[player[n]];
    const drums = instrument === "drums";
    const y = drums ? height - 2.5 : (height - 7) * (1 - (pitch[n] - low) / (high - low)) + 1;
    const x = (start[n] / take.duration) * width;
    const length = drums ? 1 : Math.max(1, ((end[n] - start[n]) / take.duration) * width - 0.3);
    paint.fillStyle = look[instrument];
    paint.fillRect(x, y, length, 1.5);
  }
}

customElements.define("em-candidates", Candidates);
