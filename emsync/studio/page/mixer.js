// The mixer: each player of the take that is heard, to be muted, heard alone, louder or softer.
// As long as nothing is changed, the mix itself is heard, and the players run along unheard.

import { button, make } from "./dom.js";
import { each } from "./picture.js";
import { heard } from "./player.js";
import { progress } from "./progress.js";
import { attempt, store } from "./store.js";
import { summaryOf, titleOf } from "./take.js";
import { work } from "./work.js";

const [SOFTEST, LOUDEST] = [-30, 6]; // dB of a slider; the softest is silence
const FLOOR = -54; // dB at which a meter begins
const FALL = 30; // dB a second by which a meter falls

class Mixer extends HTMLElement {
  connectedCallback() {
    this.open = false;
    this.muted = new Set(); // titles of players, for all takes
    this.solo = new Set();
    this.gains = new Map(); // dB
    this.asked = new Map(); // by take: its job, while its stems are made
    this.trouble = new Map(); // by take: why they could not be
    this.rows = [];
    this.of = null;
    this.progress = progress();
    this.toggle = make("button", { type: "button", class: "bench-title", "aria-expanded": "false",
      "aria-controls": "mixer", onclick: () => this.unfold() }, "Mixer");
    this.loudness = make("span", { class: "faint small" });
    this.body = make("div", { id: "mixer", class: "mixer" });
    this.append(
      make("div", { class: "bench-head" }, make("h2", {}, this.toggle), this.loudness), this.body);
    store.on("heard takes film", () => this.draw());
    each(() => this.meter());
  }

  unfold() {
    this.open = !this.open;
    this.toggle.setAttribute("aria-expanded", String(this.open));
    const take = summaryOf(store.heard);
    if (this.open && take && !take.stems) this.split(take);
    this.draw();
  }

  /** Have each player of a take played alone. */
  async split(take) {
    if (this.asked.has(take.id)) return;
    this.trouble.delete(take.id);
    this.asked.set(take.id, null);
    try {
      await work({ kind: "stems", take: take.id }, (job) => {
        this.asked.set(take.id, job);
        if (store.heard === take.id) this.progress.show(job);
      });
      await attempt(store.reload);
    } catch (error) {
      this.trouble.set(take.id, error.message);
    }
    this.asked.delete(take.id);
    this.draw();
  }

  draw() {
    const take = summaryOf(store.heard);
    this.hidden = !take;
    this.body.hidden = !this.open;
    if (!take) return this.hear(null);
    this.loudness.textContent = loudnessWords(take.loudness);
    if (!this.open) return this.hear(null);
    if (take.stems) return this.show(take);
    this.of = null;
    this.rows = [];
    this.hear(null);
    const job = this.asked.get(take.id);
    this.progress.show(job ?? null);
    const waits = this.asked.has(take.id);
    const why = this.trouble.get(take.id);
    this.body.replaceChildren(
      make("p", { class: why ? "danger-ink small" : "faint small", role: "status" }, why
        ?? (waits ? `Each player of ${titleOf(take)} is played alone, once.`
          : "Hear each player alone, mute some, or make them louder.")),
      this.progress.element,
      ...(waits ? [] : [button(`Open the players of ${titleOf(take)}`, () => {
        this.split(take);
        this.draw();
      })]));
    return undefined;
  }

  show(take) {
    if (!heard.whole) {
      this.body.replaceChildren(make("p", { class: "faint small" },
        "This film is too long for hearing players alone here; their sounds are in stems.zip."));
      return;
    }
    const key = (stem) => `stem:${take.id}/${stem.name}`;
    const changed = this.of !== take.id;
    if (changed) {
      this.of = take.id;
      this.rows = take.stems.map((stem) => this.row(stem, key(stem)));
      this.reset = button("As the mix has it", () => this.neutral(), { kind: "small" });
      this.wait = make("p", { class: "faint small", role: "status" });
      this.body.replaceChildren(
        make("ul", { class: "strips" }, ...this.rows.map((row) => row.element)),
        make("div", { class: "mixer-foot" }, this.wait, this.reset));
      for (const stem of take.stems) {
        const url = `/api/takes/${take.id}/stems/${encodeURIComponent(stem.name)}`;
        heard.sound.load(key(stem), url)?.then(() => this.hear(take));
      }
    }
    this.hear(take);
  }

  row(stem, key) {
    const { title } = stem;
    const flip = (set) => () => {
      if (!set.delete(title)) set.add(title);
      this.hear(summaryOf(store.heard));
    };
    const called = (words) => ({ kind: "small", "aria-label": words, title: words });
    const mute = button("M", flip(this.muted), called(`Mute ${title}`));
    const solo = button("S", flip(this.solo), called(`Hear ${title} alone`));
    const fill = make("div", {});
    const value = make("output", { class: "gain-value small faint" });
    const slider = make("input", {
      type: "range", min: String(SOFTEST), max: String(LOUDEST), step: "0.5",
      "aria-label": `Loudness of ${title}`,
      oninput: () => {
        this.gains.set(title, Number(slider.value));
        this.hear(summaryOf(store.heard));
      },
      ondblclick: () => {
        this.gains.delete(title);
        this.hear(summaryOf(store.heard));
      } });
    const element = make("li", { class: `strip-row is-${stem.instrument}` },
      make("span", { class: "player", title }, title),
      make("span", { class: "group" }, mute, solo),
      make("div", { class: "level", "aria-hidden": "true" }, fill),
      slider, value);
    return { element, title, key, mute, solo, fill, slider, value, level: FLOOR };
  }

  neutral() {
    this.muted.clear();
    this.solo.clear();
    this.gains.clear();
    this.hear(summaryOf(store.heard));
  }

  /** How loud a player is made: 0 where it is not heard. */
  gain(title) {
    if (this.muted.has(title)) return 0;
    const titles = this.rows.map((row) => row.title);
    if (titles.some((one) => this.solo.has(one)) && !this.solo.has(title)) return 0;
    const decibels = this.gains.get(title) ?? 0;
    return decibels <= SOFTEST ? 0 : 10 ** (decibels / 20);
  }

  /** Let the players be heard as they are set. */
  hear(take) {
    if (!take || !this.open || this.of !== take.id) {
      heard.stems = null;
      heard.settle();
      return;
    }
    const { rows } = this;
    const neutral = rows.every((row) => this.gain(row.title) === 1);
    const gains = new Map(rows.map((row) => [row.key, this.gain(row.title)]));
    const keys = rows.map((row) => row.key);
    heard.stems = { take: take.id, neutral, keys, gain: (key) => gains.get(key) };
    heard.settle();
    const here = rows.filter((row) => heard.sound.has(row.key)).length;
    const failed = rows.some((row) => heard.sound.failed(row.key));
    this.wait.textContent = failed ? "The sound of a player did not arrive."
      : here < rows.length ? `Fetching: ${here} of ${rows.length} players` : "";
    this.reset.disabled = neutral;
    for (const row of rows) {
      const decibels = this.gains.get(row.title) ?? 0;
      row.mute.setAttribute("aria-pressed", String(this.muted.has(row.title)));
      row.solo.setAttribute("aria-pressed", String(this.solo.has(row.title)));
      row.element.classList.toggle("unheard", gains.get(row.key) === 0);
      row.slider.value = String(decibels);
      const share = (decibels - SOFTEST) / (LOUDEST - SOFTEST);
      row.slider.style.setProperty("--fill", `${100 * share}%`);
      const sign = decibels > 0 ? "+" : decibels < 0 ? "−" : "";
      const words = decibels <= SOFTEST ? "silent" : `${sign}${Math.abs(decibels)} dB`;
      row.value.textContent = words;
      row.slider.setAttribute("aria-valuetext", words);
    }
  }

  meter() {
    if (!this.open || !this.rows.length) return;
    const now = performance.now();
    const gone = (now - (this.last ?? now)) / 1000;
    this.last = now;
    for (const row of this.rows) {
      const level = heard.sound.playing ? heard.sound.level(row.key) * this.gain(row.title) : 0;
      const loud = level > 0 ? 20 * Math.log10(level) : FLOOR;
      row.level = Math.max(FLOOR, loud, row.level - FALL * gone);
      const share = (row.level - FLOOR) / -FLOOR;
      if (Math.abs(share - (row.share ?? 0)) > 0.003) {
        row.share = share;
        row.fill.style.transform = `scaleX(${Math.min(1, share).toFixed(3)})`;
      }
    }
  }
}

function loudnessWords(loudness) {
  if (!loudness || loudness.lufs === null) return "Silence";
  const minus = (value) => String(value).replace("-", "−");
  return `${minus(loudness.lufs)} LUFS, peak ${minus(loudness.true_peak)} dB`;
}

customElements.define("em-mixer", Mixer);
