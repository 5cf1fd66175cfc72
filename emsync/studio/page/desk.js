// Wishes and pieces lie at one place: side by side where there is room, or else one at a time.

import { make } from "./dom.js";
import { store } from "./store.js";

const PANES = { wishes: "Wishes", pieces: "Pieces" };

class Desk extends HTMLElement {
  connectedCallback() {
    this.buttons = Object.entries(PANES).map(([pane, words]) => {
      const count = make("span", { class: "count" });
      const press = make("button", { type: "button", onclick: () => this.show(pane) }, words, count);
      return Object.assign(press, { pane, count });
    });
    this.append(make("div", { class: "group joined", role: "group",
      "aria-label": "Show wishes or pieces" }, ...this.buttons));
    store.on("film takes", () => this.follow());
  }

  /** Show pieces as soon as there are some, but to nobody who is wishing just then. */
  follow() {
    const { film, takes } = store;
    const other = film?.id !== this.film;
    const more = takes.length > (this.takes ?? 0);
    const wishing = this.parentElement.querySelector("em-wishes").contains(document.activeElement);
    Object.assign(this, { film: film?.id, takes: takes.length });
    this.buttons[1].count.textContent = takes.length || "";
    if (other) this.show(takes.length ? "pieces" : "wishes");
    else if (!takes.length) this.show("wishes");
    else if (more && !wishing) this.show("pieces");
  }

  show(pane) {
    this.parentElement.dataset.shows = pane;
    for (const press of this.buttons) press.setAttribute("aria-pressed", press.pane === pane);
  }
}

customElements.define("em-desk", Desk);
