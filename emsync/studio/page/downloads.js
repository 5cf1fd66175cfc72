// The files to take away: of the piece that is heard, and of the film.

import { button, icon, make, redrawn } from "./dom.js";
import { progress } from "./progress.js";
import { attempt, store } from "./store.js";
import { summaryOf, titleOf } from "./take.js";
import { work } from "./work.js";

const FILES = [ // their names, what they are, and what they are for
  ["score.mid", "Notes", "MIDI, for every sequencer and notation program"],
  ["mix.wav", "Music", "sound as long as the film, for an editing program"],
  ["stems.zip", "Players", "each player's sound alone, for mixing"],
  ["score.musicxml", "Score", "notation, to be read and printed"],
  ["bundle.zip", "Bundle", "notes, score, players, mix, markers, cut list, and the report with a "
    + "small film"],
];
const FILM = [
  ["analysis.json", "Analysis", "cuts and feelings; emsync generate --analysis reads it"],
  ["plan.json", "Plan", "sections and chords; emsync generate --plan reads it"],
];

/** Films with music: one with the very pictures, and an .mp4 for every player. */
function films() {
  const own = store.film.suffixes ?? [];
  const kept = own.includes(".mp4") ? ".mp4" : own[0];
  const rows = [];
  if (kept) rows.push([`film${kept}`, "Film with music", "its pictures untouched"]);
  if (kept !== ".mp4") {
    rows.push(["film.mp4", "Film with music", "for every player; its pictures are coded anew"]);
  }
  return rows;
}

class Downloads extends HTMLElement {
  connectedCallback() {
    this.making = new Map(); // by take and name: {job, progress}
    this.heading = make("h2", {});
    this.list = make("ul", { class: "files" });
    this.others = make("ul", { class: "files" }, ...FILM.map(([name, title, says]) => (
      row(title, name, says, this.link(() => `/api/films/${store.film.id}/files/${name}`, name)))));
    this.append(this.heading, this.list, make("h3", {}, "Of the film"), this.others);
    store.on("heard takes film", () => redrawn(this, () => this.draw()));
  }

  link(address, name) {
    const link = make("a", { class: "button small", download: "" }, icon("drop"), "Save");
    link.setAttribute("aria-label", `Save ${name}`);
    link.addEventListener("pointerdown", () => { link.href = address(); });
    link.addEventListener("focus", () => { link.href = address(); });
    link.href = "#";
    link.addEventListener("click", () => { link.href = address(); });
    return link;
  }

  draw() {
    this.hidden = !store.film;
    const take = summaryOf(store.heard);
    this.list.hidden = !take;
    this.heading.textContent = take ? `Take away ${titleOf(take)}` : "Take away";
    if (!take) return;
    const [notes, ...others] = FILES;
    const files = [notes, ...films(), ...others];
    this.list.replaceChildren(...files.map((file) => this.row(take, ...file)));
  }

  row(take, name, title, says) {
    const now = this.making.get(`${take.id} ${name}`);
    if (now) return row(title, name, says, null, now.progress.element);
    const address = `/api/takes/${take.id}/files/${name}`;
    if (take.files.includes(name)) return row(title, name, says, this.link(() => address, name));
    const make_ = button("Make", () => this.fetch(take, name), { kind: "small" });
    make_.setAttribute("aria-label", `Make ${name}, and save it`);
    return row(title, name, says, make_);
  }

  /** Have a file made, and save it. */
  async fetch(take, name) {
    const key = `${take.id} ${name}`;
    const shown = progress();
    this.making.set(key, { progress: shown });
    this.draw();
    const done = await attempt(() => work({ kind: "file", take: take.id, name }, shown.show));
    this.making.delete(key);
    if (done) {
      save(`/api/takes/${take.id}/files/${name}`);
      await attempt(store.reload);
    }
    this.draw();
    this.querySelector(`[aria-label$="${name}"], [aria-label*="${name},"]`)?.focus();
  }
}

function save(address) {
  const link = make("a", { href: address, download: "", hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
}

function row(title, name, says, act, below = null) {
  return make("li", {},
    make("div", { class: "file" },
      make("span", { class: "file-title" },
        title, " ", make("code", { class: "small faint" }, name)),
      make("span", { class: "small faint" }, says)),
    act, below);
}

customElements.define("em-downloads", Downloads);
