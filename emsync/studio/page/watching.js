// A film that is being watched, or that could not be.

import { ask } from "./api.js";
import { button, make, say, show } from "./dom.js";
import { attempt, sentence, store } from "./store.js";
import { stageWords } from "./stages.js";

class Watching extends HTMLElement {
  connectedCallback() {
    this.still = make("img", { alt: "" });
    this.name = make("h1", {});
    this.fill = make("div", {});
    this.bar = make("div", { class: "bar", role: "progressbar", "aria-label": "Watching the film",
      "aria-valuemin": "0", "aria-valuemax": "100" }, this.fill);
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
      make("div", { class: "words" }, this.name, this.told, this.bar, this.cancel, this.again));
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
    show(this.bar, !failed);
    show(this.cancel, !failed);
    show(this.again, failed);
    if (failed) {
      say(this.told, sentence(film.reason || "it could not be watched"));
      this.cancel.disabled = false;
      return;
    }
    const { words, share } = stageWords(job, film);
    say(this.told, words);
    this.bar.classList.toggle("unknown", share === null);
    this.fill.style.width = share === null ? "" : `${100 * share}%`;
    if (share === null) this.bar.removeAttribute("aria-valuenow");
    else this.bar.setAttribute("aria-valuenow", Math.round(100 * share));
  }
}

customElements.define("em-watching", Watching);
