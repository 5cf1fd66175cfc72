// The versions of a film's document, newest first: what was done, and the way back.

import { make, redrawn } from "./dom.js";
import { store } from "./store.js";
import { capital } from "./words.js";

const KEPT = /^kept (piece .*)$/;

class Versions extends HTMLElement {
  connectedCallback() {
    this.list = make("ol", { class: "history", reversed: true });
    this.append(make("h2", {}, "Versions"),
      make("p", { class: "faint small" }, "All that was changed. Choose one to go to it."),
      this.list);
    store.on("document", () => this.draw());
  }

  draw() {
    const { document: now } = store;
    this.hidden = !now;
    if (!now) return;
    let kept = "";
    const rows = now.versions.map(({ number, what }) => {
      kept = KEPT.exec(what)?.[1] ?? kept;
      return this.row(number, what, KEPT.test(what) ? "" : kept);
    });
    redrawn(this.list, () => this.list.replaceChildren(...rows.reverse()));
  }

  row(number, what, kept) {
    const present = number === store.document.version;
    const later = number > store.document.version;
    // the present one, too: what is on its way may make it a former one
    const button = make("button", { type: "button", class: later ? "quiet undone" : "quiet",
      onclick: () => store.goTo(number) },
    make("span", { class: "number" }, String(number)),
    make("span", { class: "what" }, capital(what)),
    make("span", { class: "faint small" }, present ? "now" : later ? "undone" : kept));
    if (present) button.setAttribute("aria-current", "step");
    return make("li", {}, button);
  }
}

customElements.define("em-versions", Versions);
