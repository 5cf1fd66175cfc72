// A film that is being watched, or that could not be.

import { ask } from "./api.js";
import { button, make, say, show } from "./dom.js";
import { progressBar } from "./progress.js";
import { stageWords } from "./stages.js";
import { attempt, sentence, store } from "./store.js";

class Watching extends HTMLElement {
  connectedCallback() {
    this.still = make("img", { alt: "" });
    this.name = make("h1", {});
    this.bar = progressBar("Watching the film");
    this.told = make("p", { class: "faint", role: "status" });
    this.cancel = button("Cancel", () => {
      this.cancel.disabled = true;
      attempt(() => ask("DELETE", `/api/jobs/${store.job.id}`));
    });
    this.again = make("div", { class: "group" },
      button("Choose another film", () => attempt(() => store.open(null)), { kind: "primary" }),
      button("Delete this one", () => attempt(async () => {
        await ask("DELETE", `/api/films/${store.film.id}`);
        await store.open(null);
      })));
    this.append(make("div", { class: "still" }, this.still),
      make("div", { class: "words" }, this.name, this.told, this.bar.element, this.cancel, this.again));
    store.on("film strip job", () => this.show());
  }

  show() {
    const { film, strip, job } = store;
    if (!film || film.state === "ready") return;
    const failed = film.state === "failed";
    this.classList.toggle("failed", failed);
    const last = strip.at(-1)?.url;
    show(this.still, last);
    if (last && this.still.getAttribute("src") !== last) this.still.src = last;
    this.name.textContent = film.name;
    show(this.bar.element, !failed);
    show(this.cancel, !failed);
    show(this.again, failed);
    if (failed) {
      say(this.told, sentence(film.reason || "it could not be watched"));
      this.cancel.disabled = false;
      return;
    }
    const { words, share } = stageWords(job);
    say(this.told, words);
    this.bar.show(share);
  }
}

customElements.define("em-watching", Watching);
