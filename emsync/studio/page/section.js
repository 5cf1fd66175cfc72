// The section that is chosen in the plan, to edit: feeling, key, chords, players, theme, loudness.

import { words } from "./clock.js";
import { button, make, say } from "./dom.js";
import { draft } from "./draft.js";
import { feelings, feels, withSection } from "./edits.js";
import { mark } from "./lane.js";
import { hueOf, keyOf, loudness, mergeNext, splitHere } from "./plan.js";
import { sentence, store } from "./store.js";
import { capital } from "./words.js";

const MODES = ["major", "minor"];
const CHART = "A chord a bar; Dm/2 lasts half a bar. They are played again until the section ends. "
  + "A bass note of its own, such as C/E, cannot be asked for.";
const LETTERS = 8; // themes that are offered at least

const field = (name, control, ...more) => {
  const id = `section-${name.toLowerCase().replace(/\W+/g, "-")}`;
  control.id = id;
  return make("div", { class: "field" }, make("label", { for: id }, name), control, ...more);
};

class SectionPanel extends HTMLElement {
  connectedCallback() {
    if (this.title_) return;
    this.setAttribute("role", "region");
    this.setAttribute("aria-label", "The section that is chosen");
    this.title_ = make("strong");
    this.facts = make("span", { class: "faint" });
    this.merger = button("Merge with the next", () => mergeNext(store.section),
      { kind: "small", title: "M" });
    this.emotions = make("div", { class: "group" });
    this.modes = make("div", { class: "group joined" });
    this.players = make("div", { class: "group" });
    this.chords = make("input", { type: "text", autocomplete: "off", spellcheck: "false",
      placeholder: "Am F C G",
      onchange: () => this.change("chords", this.chords.value.trim(), "chords"),
      onkeydown: (event) => event.key === "Escape" && this.reset(event) });
    this.wrong = make("p", { class: "wrong", role: "alert" });
    const list = (name) => make("select",
      { onchange: (event) => this.change(name, event.target.value, name) });
    this.theme = list("theme");
    this.palette = list("palette");
    this.density = make("input", { type: "number", min: "0", max: "24", step: "0.1",
      placeholder: "as it comes",
      onchange: ({ target: { value } }) =>
        this.change("density", value === "" ? null : Number(value), "density") });
    this.level = make("input", { type: "range", min: "20", max: "127", step: "1",
      oninput: () => this.drawLevel(Number(this.level.value)),
      onchange: () => this.change("level", Number(this.level.value), "loudness") });
    this.loud = make("output");
    this.append(
      make("div", { class: "panel-head" }, this.title_, this.facts,
        make("div", { class: "group" },
          button("Split at the playhead", splitHere, { kind: "small", title: "S" }), this.merger,
          button("Close", () => this.close(), { icon: "close", kind: "quiet small" }))),
      make("div", { class: "section-fields" },
        make("div", { class: "field wide", role: "group", "aria-label": "Feeling" },
          make("span", { class: "name" }, "Feeling"), this.emotions),
        make("div", { class: "field wide", role: "group", "aria-label": "Who plays" },
          make("span", { class: "name" }, "Who plays"), this.players),
        make("div", { class: "field chord-field" },
          make("label", { for: "section-chords" }, "Chords"),
          make("div", { class: "joined-input" }, this.chords,
            button("Chords anew", () => this.anew(),
              { title: "Draw other chords for this section" })),
          this.wrong,
          make("p", { class: "faint small", id: "section-chords-hint" }, CHART)),
        make("div", { class: "field", role: "group", "aria-label": "Mode" },
          make("span", { class: "name" }, "Mode"), this.modes),
        field("Theme", this.theme), field("Palette", this.palette),
        field("Notes a beat", this.density),
        field("Loudness", this.level)));
    this.chords.id = "section-chords";
    this.chords.setAttribute("aria-describedby", "section-chords-hint");
    this.level.previousElementSibling.append(this.loud);
    this.addEventListener("keydown", (event) => {
      const open = event.key === "Escape" && !event.defaultPrevented;
      if (open && !event.target.matches("input, select")) this.close();
    });
    store.on("document section health film", () => this.draw());
    draft.on(() => this.draw());
    store.on("say", (told) => this.hear(told));
  }

  get section() {
    return store.section === null ? null : (draft.plan?.sections[store.section] ?? null);
  }

  draw() {
    const { section } = this;
    this.classList.toggle("open", Boolean(section));
    if (!section || !store.health) return;
    const { plan } = draft;
    const at = store.section;
    if (this.at !== at) say(this.wrong, "");
    const other = this.at !== at;
    this.at = at;
    say(this.title_, `Section ${at + 1} of ${plan.sections.length}`);
    const facts = [`${words(section.start)} – ${words(section.end)}`,
      keyOf(plan.tonic, section.mode)];
    say(this.facts, facts.filter(Boolean).join(" · "));
    this.merger.disabled = at + 1 >= plan.sections.length;
    this.drawChoices(section);
    if (!this.wrong.textContent) put(this.chords, section.chords, other);
    mark(this.chords, { "aria-invalid": this.wrong.textContent ? "true" : null });
    this.drawLists(section);
    const { density } = section;
    put(this.density, density === null ? "" : String(Math.round(10 * density) / 10), other);
    this.drawLevel(section.level);
  }

  drawChoices(section) {
    const { emotions, instruments } = store.health;
    rows(this.emotions, Object.entries(feelings(emotions)), ([name, { valence, arousal }]) =>
      choice(capital(name), feels(section, name),
        () => this.edit("feeling", { valence, arousal }), { "data-emotion": name }));
    rows(this.players, instruments, (name) => {
      const on = section.instruments.includes(name);
      const others = section.instruments.filter((one) => one !== name);
      const last = on && !others.length;
      const changed = on ? others : [...section.instruments, name];
      return choice(capital(name), on,
        () => this.edit(`${on ? "no " : ""}${name}`, { instruments: changed }),
        { "data-instrument": name, disabled: last, title: last ? "Somebody has to play" : null });
    });
    rows(this.modes, MODES, (mode) => {
      const one = choice(capital(mode), section.mode === mode,
        () => section.mode !== mode && this.edit("mode", { mode, chords: "" }));
      one.querySelector(".dot").remove();
      return one;
    });
  }

  drawLists(section) {
    const { sections } = draft.plan;
    const used = sections.map((one) => one.theme).filter(Boolean);
    const most = Math.max(LETTERS, ...used.map((letter) => letter.charCodeAt(0) - 64));
    const themes = Array.from({ length: most }, (_, i) => String.fromCharCode(65 + i));
    const title = (letter) => {
      const other = sections.findIndex((one, i) => one.theme === letter && i !== store.section);
      return other < 0 ? letter : `${letter}, as in section ${other + 1}`;
    };
    options(this.theme, [["", "none"], ...themes.map((letter) => [letter, title(letter)])],
      section.theme);
    const names = store.health.palettes.map(({ name }) => [name, capital(name)]);
    const known = names.some(([name]) => name === section.palette);
    const file = section.palette.split("/").at(-1);
    const own = section.palette && !known ? [[section.palette, file]] : [];
    options(this.palette, [["", "As suits the film"], ...names, ...own], section.palette);
    this.style.setProperty("--hue", section.theme ? hueOf(section.theme) : 0);
  }

  drawLevel(level) {
    const shown = level ?? 80 + 32 * (this.section?.arousal ?? 0);
    this.level.value = String(Math.round(shown));
    this.level.style.setProperty("--fill", `${((shown - 20) / 107) * 100}%`);
    const said = level === null ? "as the feeling" : loudness(shown);
    mark(this.level, { "aria-valuetext": said });
    say(this.loud, said);
  }

  change(name, value, what) {
    if (this.section[name] !== value) this.edit(what, { [name]: value });
  }

  /** Make a change of the section. A refusal of its chords is said where they are. */
  async edit(what, changes, more = {}) {
    const at = store.section;
    this.asking = "chords" in changes;
    say(this.wrong, "");
    const plan = withSection(draft.plan, at, changes);
    await draft.keep(`${what} of section ${at + 1}`, { plan, ...more });
    this.asking = false;
    this.draw();
  }

  hear(told) {
    if (!this.asking || told?.kind !== "error") return;
    told.shown = true;
    say(this.wrong, sentence(told.sentence));
  }

  /** Give the chords that hold back to the field. */
  reset(event) {
    event.preventDefault();
    event.stopPropagation();
    say(this.wrong, "");
    this.chords.value = this.section.chords;
    this.draw();
  }

  /** Draw other chords: by the next seed, since one seed draws the same. */
  anew() {
    const { document: { wishes }, health } = store;
    const seed = (wishes.seed ?? health.defaults.seed) + 1;
    this.edit("other chords", { chords: "" }, { wishes: { ...wishes, seed } });
  }

  close() {
    const at = store.section;
    store.set({ section: null });
    document.querySelectorAll(".section-name")[at]?.focus();
  }
}

function choice(name, on, act, { disabled = false, ...more } = {}) {
  const one = button(name, act, { kind: "small", "aria-pressed": String(on), ...more });
  one.disabled = disabled;
  one.prepend(make("i", { class: "dot" }));
  return one;
}

/** Make the children of `parent` anew, and keep the focus where it is. */
function rows(parent, items, create) {
  const at = [...parent.children].indexOf(document.activeElement);
  parent.replaceChildren(...items.map(create));
  if (at >= 0) parent.children[at]?.focus({ preventScroll: true });
}

function options(select, items, value) {
  const key = JSON.stringify(items);
  if (select.dataset.items !== key) {
    select.replaceChildren(...items.map(([one, name]) => make("option", { value: one }, name)));
    select.dataset.items = key;
  }
  select.value = value;
}

/** Put a value into a field, but where a person is typing. */
function put(input, value, always) {
  if (always || document.activeElement !== input || !input.matches(":focus")) input.value = value;
}

customElements.define("em-section", SectionPanel);
