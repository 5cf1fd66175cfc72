// The main button, how far the work is, and Cancel.

import { ask } from "./api.js";
import { button, make, say, show } from "./dom.js";
import { progressBar } from "./progress.js";
import { isOver, stageWords } from "./stages.js";
import { attempt, store } from "./store.js";
import { oneOf, wish } from "./wishes.js";
import { capital, count } from "./words.js";

const BESIDE = ["proxy", "stems", "file"]; // what new pieces wait for in the queue

class Compose extends HTMLElement {
  connectedCallback() {
    this.act = button("Compose", compose, { kind: "primary large", "aria-describedby": "why" });
    this.why = make("p", { class: "faint small", id: "why" });
    this.words = make("p", { class: "doing", role: "status" });
    this.bar = progressBar("Progress");
    this.stop = button("Cancel", () => this.cancel());
    this.busy = make("div", { class: "busy" }, this.words, this.bar.element);
    this.hint = make("p", { class: "hint" });
    this.many = make("div", { class: "how-many" }, "Pieces");
    this.append(make("div", { class: "line" }, this.why, this.many, this.stop, this.act),
      this.busy, this.hint);
    store.on("film document takes job health", () => this.show());
  }

  /** Let be chosen how many pieces are composed at once. */
  offer({ limits }) {
    const words = Array.from({ length: limits.candidates }, (_, i) => [i + 1, i + 1]);
    this.pieces = oneOf(Object.fromEntries(words),
      (value) => wish("candidates", Number(value), "pieces"));
    this.pieces.setAttribute("role", "group");
    this.pieces.setAttribute("aria-label", "Pieces to choose from");
    this.many.append(this.pieces);
  }

  show() {
    const { job, document: now, film, health, takes } = store;
    if (!now || !health) return;
    if (!this.pieces) this.offer(health);
    const works = job && !isOver(job) && !BESIDE.includes(job.kind);
    const wanted = now.wishes.candidates ?? health.defaults.candidates;
    show(this.busy, works);
    show(this.stop, works);
    show(this.many, !works);
    this.pieces.set(String(wanted));
    show(this.hint, !works && !takes.length);
    say(this.hint, `Next: compose. ${capital(count(wanted, "piece"))} will appear here one by one; `
      + "wishes, and the lanes below, can be changed before and after.");
    this.act.textContent = `Compose ${count(wanted, "piece")}`;
    this.act.disabled = Boolean(works || film.state !== "ready");
    this.why.textContent = reason(works, film);
    if (!works) {
      this.stop.disabled = false;
      this.stop.textContent = "Cancel";
      return;
    }
    const { words, share } = stageWords(job);
    const heard = store.takes.filter((take) => take.created > job.created).length;
    if (this.watched !== job.id) Object.assign(this, { watched: job.id, wanted });
    say(this.words, words + said(job, heard, this.wanted));
    this.bar.show(share);
  }

  async cancel() {
    this.stop.disabled = true;
    this.stop.textContent = "Stopping …";
    const done = await attempt(() => ask("DELETE", `/api/jobs/${store.job.id}`));
    if (!done) this.stop.disabled = false;
  }
}

/** What can be heard already of a job, of which so many pieces were wanted. */
function said(job, heard, wanted) {
  if (!heard) return "";
  if (job.kind === "anew") return `; ${count(heard, "draft")} can be heard already`;
  return `; ${heard} of ${count(wanted, "piece")} can be heard already`;
}

/** Why the button cannot be pressed, or what it will do. */
function reason(works, film) {
  if (film.state !== "ready") return "The film is still being watched.";
  if (works) return "More can be composed once this is done.";
  return "";
}

function compose() {
  attempt(() => store.submit({ kind: "compose" }));
}

customElements.define("em-compose", Compose);
