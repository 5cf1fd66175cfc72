// A stretch of the piece that is heard, composed anew: asked for here, compared here, kept here.

import { clock } from "./clock.js";
import { button, make, redrawn } from "./dom.js";
import { hear, keep } from "./candidates.js";
import { progress } from "./progress.js";
import { isOver } from "./stages.js";
import { attempt, store } from "./store.js";
import { capital } from "./words.js";
import { barWords, fitted, slots, summaryOf, takeOf, titleOf } from "./take.js";

const DRAFTS = 3;

class Anew extends HTMLElement {
  connectedCallback() {
    this.say = make("p", { class: "small", "aria-live": "polite" });
    this.act = button("", () => this.compose(), { kind: "primary" });
    this.drop = button("Unmark", () => store.set({ range: null }));
    this.choice = make("div", { class: "compared" });
    this.progress = progress("Progress of the drafts");
    this.append(make("h2", {}, "Some bars anew"), this.say,
      make("div", { class: "actions" }, this.act, this.drop), this.progress.element, this.choice);
    store.on("heard takes range job document film", () => this.draw());
  }

  async draw() {
    const heard = summaryOf(store.heard);
    this.hidden = !heard;
    if (!heard) return;
    const take = await takeOf(heard.id).catch(() => null);
    if (!take || store.heard !== take.id) return;
    const { job } = store;
    const range = store.range && fitted(take, store.range);
    this.range = range;
    const busy = Boolean(job) && !isOver(job);
    this.progress.show(busy && job.kind === "anew" ? job : null);
    this.act.hidden = this.drop.hidden = !range;
    if (!range) {
      const keys = matchMedia("(pointer: coarse)").matches ? ""
        : ", or press [ and ] at the playhead";
      this.say.textContent = `Mark bars in the notes: drag over them${keys}. They can then be `
        + "composed anew while all else stays to the note.";
    } else {
      const bars = barWords(take, range);
      this.act.textContent = `Compose ${bars} anew ×${DRAFTS}`;
      this.act.disabled = busy;
      this.say.textContent = busy && job.kind === "anew"
        ? `Drafts are being composed; the rest of ${titleOf(heard)} stays to the note.`
        : busy ? "Something else is being made; this can be composed after it."
          : `Three drafts of ${bars} of ${titleOf(heard)}; the rest stays to the note.`;
    }
    this.compare(heard, take);
  }

  /** Drafts beside what they were made of. */
  compare(heard, take) {
    const drafts = slots().filter((one) => one.parent
      && (one.parent === heard.id || one.parent === heard.parent));
    const parent = drafts[0] && summaryOf(drafts[0].parent);
    this.choice.hidden = !parent;
    if (!parent) return;
    const ids = drafts.map((one) => one.id);
    const told = JSON.stringify([heard.id, store.document?.take, parent.id, ids]);
    if (told === this.told) return;
    this.told = told;
    redrawn(this.choice, () => this.lay(heard, take, parent, drafts));
  }

  lay(heard, take, parent, drafts) {
    const [from, to] = drafts[0].range;
    const bars = barWords(take, { from, to });
    const row = [parent, ...drafts].map((one) => {
      const key = slots().findIndex((slot) => slot.id === one.id) + 1;
      const name = one === parent ? `As it was (${one.name})` : one.name;
      return button(key ? `${name} · key ${key}` : name, () => hear(one.id), { kind: "small",
        "aria-pressed": String(store.heard === one.id) });
    });
    const kept = store.document?.take === heard.id;
    this.choice.replaceChildren(
      make("h3", {}, `Compare ${bars}`),
      make("div", { class: "group", role: "group", "aria-label": `Drafts of ${bars}` }, ...row),
      make("div", { class: "actions" },
        button(kept ? `${capital(titleOf(heard))} is kept` : `Keep ${titleOf(heard)}`,
          () => keep(heard), { disabled: kept }),
        button(`Play ${bars}`, () => this.play(from), { kind: "quiet" })));
  }

  play(from) {
    clock.seek(Math.max(0, from - 2));
    if (!clock.playing) clock.toggle();
  }

  compose() {
    const { from, to } = this.range;
    const wanted = { kind: "anew", take: store.heard, from, to, drafts: DRAFTS };
    return attempt(() => store.submit(wanted));
  }
}

customElements.define("em-anew", Anew);
