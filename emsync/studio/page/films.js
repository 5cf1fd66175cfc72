// The films that are in the studio already, as cards, and how much room they take.

import { ask } from "./api.js";
import { confirmed } from "./dialog.js";
import { button, icon, make } from "./dom.js";
import { attempt, store } from "./store.js";
import { count, length, size } from "./words.js";

class Films extends HTMLElement {
  connectedCallback() {
    this.cards = make("ul", { class: "cards" });
    this.room = make("p", { class: "faint small" });
    this.append(make("h2", {}, "Films in the studio"), this.cards, this.room);
    store.on("film health", () => {
      if (store.health && !store.film) attempt(() => this.read());
    });
  }

  async read() {
    const films = await ask("GET", "/api/films");
    this.replaceCards(films);
  }

  replaceCards(films) {
    this.classList.toggle("none", films.length === 0);
    this.cards.replaceChildren(...films.map((film) => this.card(film)));
    const { home, free } = store.health;
    const used = films.reduce((sum, film) => sum + film.bytes, 0);
    this.room.textContent =
      `${count(films.length, "film")} with ${size(used)} in ${home}; ${size(free)} are free.`;
  }

  card(film) {
    const picture = film.picture
      ? make("img", { src: film.picture, alt: "", loading: "lazy" }) : icon("film");
    const facts = [
      film.state === "watching" && "being watched",
      film.state === "failed" && "could not be watched",
      film.duration && length(film.duration),
      film.state === "ready" && count(film.takes, "piece"),
      size(film.bytes),
    ].filter(Boolean).join(" · ");
    const open = make("button", { type: "button", class: "open",
      onclick: () => attempt(() => store.open(film.id)) },
    make("span", { class: "still" }, picture),
    make("span", { class: "name", title: film.name }, film.name),
    make("span", { class: "faint small" }, facts));
    const remove = button(`Delete ${film.name}`, () => this.remove(film),
      { icon: "trash", kind: "quiet small" });
    return make("li", { class: "card" }, open, remove);
  }

  async remove(film) {
    const plan = film.state === "ready" ? ", its plan with all versions" : "";
    const pieces = film.takes ? `, and ${count(film.takes, "piece")}` : "";
    const yes = await confirmed(`Delete “${film.name}”?`,
      `The studio's copy of the film${plan}${pieces}: ${size(film.bytes)} go, and cannot be `
      + "brought back. The file that you dropped stays where it is.",
      "Delete", { danger: true });
    if (!yes) return;
    await attempt(async () => {
      await ask("DELETE", `/api/films/${film.id}`);
      store.say(`“${film.name}” is deleted.`);
    });
    await attempt(() => this.read());
  }
}

customElements.define("em-films", Films);
