// What a person wishes of the music. What is left to the film shows what the plan has of it.

import { confirmed } from "./dialog.js";
import { button, make, show } from "./dom.js";
import { feelings, withArc } from "./edits.js";
import { store } from "./store.js";
import { capital, printed } from "./words.js";

const ENDINGS = { cadence: "Cadence", fade: "Fade", cut: "Cut" };
const SOUNDS = { replace: "Off", duck: "Under", mix: "Beside" }; // the film's own
const SYNCS = { beat: "Any beat", downbeat: "First beats", chord: "Chord changes", off: "Nothing" };
const NARROW = "(max-width: 640px)"; // where wishes are folded away at first
const PAUSE = 1500; // ms after which tapping has ended

/** Change one wish; null leaves it to the film. */
export function wish(key, value, what) {
  const said = `${what}: ${value === null ? "auto" : value}`;
  return store.edit(said, ({ wishes }) => ({ wishes: { ...wishes, [key]: value } }));
}

/** Wish what is written in `input`; where it is refused, it stays there, to be mended. */
async function written(input, key, value, what) {
  const text = input.value;
  if ((await wish(key, value, what)) !== 422) return; // in another window it may have changed
  input.value = text;
  input.setAttribute("aria-invalid", "true");
}

/** Show what is wished in `input`, or what it is left to. */
function showWritten(input, value, auto) {
  input.value = value ?? "";
  input.placeholder = auto;
  input.removeAttribute("aria-invalid");
}

/** Return the one value that all have, or null. */
const common = (values) => (new Set(values).size === 1 ? values[0] : null);

let ids = 0;

/** A name with what is named; `.aside(…)` shows beside the name what it is left to. */
function field(title, control, { wide = false, group = false, hint = "" } = {}) {
  const aside = make("span", { class: "aside" });
  const label = make(group ? "span" : "label", {}, title);
  const name = make("div", { class: "name" }, label, aside);
  if (group) {
    control.setAttribute("role", "group");
    control.setAttribute("aria-label", title);
  } else {
    const inputs = "input, select";
    const input = control.matches(inputs) ? control : control.querySelector(inputs);
    input.id = `wish-${(ids += 1)}`;
    label.setAttribute("for", input.id);
  }
  if (hint) name.title = hint;
  const element = make("div", { class: wide ? "field wide" : "field" }, name, control);
  return Object.assign(element, {
    aside(...parts) {
      aside.replaceChildren(...parts);
    },
  });
}

/** A choice of several, of which the first may be "left to the film". */
function choice(options, act) {
  const element = make("select", { onchange: () => act(element.value || null) });
  const fill = (rows) => {
    element.replaceChildren(...rows.map(([value, words]) => make("option", { value }, words)));
  };
  fill(options);
  return Object.assign(element, { fill });
}

/** Buttons of which one is pressed. */
export function oneOf(words, act) {
  const buttons = Object.entries(words).map(([value, name]) => {
    const one = button(name, () => act(value));
    one.dataset.value = value;
    return one;
  });
  const element = make("div", { class: "group joined" }, ...buttons);
  return Object.assign(element, {
    set(value) {
      for (const one of buttons) one.setAttribute("aria-pressed", one.dataset.value === value);
    },
  });
}

/** A slider that is left alone until it is moved; `auto` is where it then stands. */
function slider(title, key, what, { min, max, step, auto, told, free, hint }) {
  const input = make("input", { type: "range", min, max, step });
  const element = field(title, input, { hint });
  const back = button("auto", () => wish(key, null, what), { kind: "link small" });
  back.setAttribute("aria-label", `${title}: ${free}`);
  const paint = () => {
    input.style.setProperty("--fill", `${(100 * (input.value - min)) / (max - min)}%`);
  };
  input.addEventListener("input", () => {
    paint();
    element.aside(told(Number(input.value)));
  });
  input.addEventListener("change", () => wish(key, Number(input.value), what));
  return Object.assign(element, {
    set(value) {
      const wished = value !== undefined && value !== null;
      input.value = wished ? value : auto;
      input.classList.toggle("free", !wished);
      input.setAttribute("aria-valuetext", wished ? told(value) : free);
      paint();
      element.aside(wished ? told(value) : free, ...(wished ? [back] : []));
    },
  });
}

/** A number that is empty where it is left to the film. */
function number(title, key, what, { min, max, step = "any", hint, more = [] }) {
  const input = make("input", { type: "number", min, max, step, inputmode: "decimal" });
  const element = field(title, make("div", { class: "with" }, input, ...more), { hint });
  input.addEventListener("change", () => {
    if (input.validity.badInput) return;
    written(input, key, input.value === "" ? null : Number(input.value), what);
  });
  return Object.assign(element, { input, set: (value, auto) => showWritten(input, value, auto) });
}

class Wishes extends HTMLElement {
  connectedCallback() {
    if (store.health) this.build();
    else {
      store.on("health", () => {
        if (store.health && !this.built) this.build();
      });
    }
  }

  build() {
    this.built = true;
    const { emotions, tonics, modes, palettes, instruments, tempo, defaults } = store.health;
    this.points = feelings(emotions);

    this.mood = choice([], (value) => this.setMood(value));
    this.dot = make("span", { class: "dot", "aria-hidden": "true" });
    this.moodField = field("Mood", make("div", { class: "dotted" }, this.dot, this.mood));
    this.strength = slider("Emotion strength", "strength", "emotion strength", {
      min: 0.1, max: 1, step: 0.05, auto: defaults.strength,
      told: (value) => `${Math.round(100 * value)} %`, free: "as it is seen",
      hint: "How far the music goes with what is felt",
    });

    this.tap = button("Tap", () => this.tapped(), { title: "Tap the tempo" });
    this.tempo = number("Tempo", "tempo", "tempo", { min: tempo[0], max: tempo[1],
      more: [this.tap], hint: "Beats a minute" });
    this.tonic = choice([], (value) => wish("tonic", value, "key"));
    this.mode = choice([], (value) => wish("mode", value, "mode"));
    this.mode.setAttribute("aria-label", "Major or minor");
    this.key = field("Key", make("div", { class: "pair" }, this.tonic, this.mode));
    this.tonics = tonics;
    this.modes = modes;

    this.chords = make("input", { type: "text", spellcheck: false, autocomplete: "off",
      onchange: () => written(this.chords, "chords", this.chords.value.trim() || null, "chords") });
    this.chordsField = field("Chords", this.chords, { hint: "A chord a bar, such as Am F C G" });
    this.ending = oneOf(ENDINGS, (value) => wish("ending", value, "ending"));
    this.endingField = field("Ending", this.ending, { group: true });

    this.toggles = instruments.map((name) => {
      const dot = make("span", { class: "dot", "aria-hidden": "true" });
      dot.style.background = `var(--${name})`;
      const toggle = make("button", { type: "button", onclick: () => this.toggle(name) },
        dot, capital(name));
      toggle.dataset.name = name;
      return toggle;
    });
    this.instruments = field("Instruments", make("div", { class: "group" }, ...this.toggles),
      { group: true });
    this.instruments.classList.add("broad");
    this.allBack = button("auto", () => wish("instruments", null, "instruments"),
      { kind: "link small" });
    this.allBack.setAttribute("aria-label", "Instruments: as the plan has them");

    this.players = new Map(palettes.map(({ name, players }) => [name, players.join(", ")]));
    this.palette = choice([], (value) => wish("palette", value, "palette"));
    this.about = make("p", { class: "faint small about" });
    this.paletteField = field("Palette", this.palette);
    this.paletteField.append(this.about);

    this.guidance = slider("Guidance", "guidance", "guidance", {
      min: 1, max: 4, step: 0.1, auto: 1, told: (value) => value.toFixed(1),
      free: "as usual", hint: "How closely the network holds to the plan",
    });
    this.sound = oneOf(SOUNDS, (value) => wish("keep_audio", value, "film's sound"));
    this.soundField = field("Film's own sound", this.sound, { group: true });

    this.rare = {
      lufs: number("Loudness, LUFS", "lufs", "loudness", { min: -60, max: -5, step: 0.5 }),
      humanize: number("Free timing", "humanize", "free timing",
        { min: 0, max: 1, step: 0.05, hint: "0 on the beat, 1 free; never on hits" }),
      max_tempo_change: number("Tempo may bend by", "max_tempo_change", "bending of the tempo",
        { min: 0, max: 0.25, step: 0.01, hint: "The share by which it bends towards cuts" }),
      temperature: number("Temperature", "temperature", "temperature",
        { min: 0.1, max: 2, step: 0.05, hint: "Above 1 bolder, below it safer" }),
      top_p: number("Top-p", "top_p", "top-p",
        { min: 0.05, max: 1, step: 0.01, hint: "The share of likely notes that are drawn from" }),
      seed: number("Seed", "seed", "seed", { min: 0, step: 1, hint: "Same seed, same music" }),
    };
    this.sync = choice([], (value) => wish("sync", value, "what hits cuts"));
    this.syncField = field("What may hit a cut", this.sync);
    const rare = make("div", { class: "fields" }, this.soundField, this.guidance, this.rare.lufs,
      this.syncField,
      this.rare.max_tempo_change, this.rare.humanize, this.rare.temperature, this.rare.top_p,
      this.rare.seed);
    this.count = make("span", { class: "chip strong", hidden: true });
    this.more = make("details", { class: "more" },
      make("summary", {}, "More", this.count), rare);
    const foot = make("div", { class: "foot" }, this.more);

    this.yours = make("div", { class: "yours", hidden: true },
      make("span", { class: "chip strong" }, "The plan is edited by hand"),
      button("Plan anew …", planAnew, { kind: "small" }));

    const fields = make("div", { class: "fields" }, this.moodField, this.strength, this.tempo,
      this.key, this.chordsField, this.endingField, this.instruments, this.paletteField,
);
    this.wished = make("span", { class: "chip strong" });
    const all = make("details", { class: "all" },
      make("summary", {}, "Wishes", this.wished), fields, foot);
    const narrow = matchMedia(NARROW);
    const fold = () => {
      all.open = !narrow.matches;
    };
    narrow.addEventListener("change", fold);
    fold();
    foot.append(this.yours);
    this.append(all);
    store.on("document seen", () => this.show());
  }

  show() {
    const { document: now, seen } = store;
    if (!now) return;
    const { plan, wishes, plan_is: planIs } = now;
    show(this.yours, planIs === "yours");
    const set = Object.keys(wishes).length;
    this.wished.textContent = set ? `${set} set` : "as the film has it";
    this.showMood(now, seen);

    this.strength.set(wishes.strength);
    this.guidance.set(wishes.guidance);
    this.tempo.set(wishes.tempo, `auto · ${Math.round(plan.tempo)}`);
    this.showKey(plan, wishes);
    const planned = plan.sections[0].chords.split(" ").map(printed).join(" ");
    showWritten(this.chords, wishes.chords, `auto · ${planned}`);
    this.ending.set(wishes.ending ?? plan.ending);
    this.endingField.aside(wishes.ending ? "" : "auto");

    const names = playing(now);
    for (const toggle of this.toggles) {
      const on = names.has(toggle.dataset.name);
      const last = on && names.size === 1;
      toggle.setAttribute("aria-pressed", on);
      toggle.setAttribute("aria-disabled", last);
      toggle.title = last ? "At least one has to play" : "";
    }
    this.instruments.aside(wishes.instruments ? this.allBack : "auto");

    const palette = common(plan.sections.map((section) => section.palette));
    this.palette.fill([["", `auto · ${palette ?? "several"}`],
      ...[...this.players.keys()].map((name) => [name, capital(name)])]);
    this.palette.value = wishes.palette ?? "";
    this.about.textContent = this.players.get(wishes.palette ?? palette) ?? "";
    this.about.title = this.about.textContent;

    this.sound.set(wishes.keep_audio ?? "replace");
    const silent = store.film?.has_audio === false;
    this.soundField.aside(silent ? "it has none" : "");
    for (const one of this.sound.children) one.disabled = silent;
    this.showRare(wishes);
  }

  showMood({ analysis }, seen) {
    const { arc } = analysis;
    const asSeen = JSON.stringify(arc.map(feelingOf)) === JSON.stringify(seen?.arc.map(feelingOf));
    const felt = asSeen ? "" : Object.keys(this.points).find((name) => arc.every(
      (state) => near(state, this.points[name]))) ?? "own";
    const names = Object.keys(this.points).map((name) => [name, capital(name)]);
    const own = felt === "own" ? [["own", "As drawn by hand"]] : [];
    this.mood.fill([["", "As the film"], ...own, ...names]);
    this.mood.value = felt;
    this.dot.style.background = this.points[felt] && felt !== "calm" ? `var(--${felt})` : "";
    this.dot.classList.toggle("film", !felt || felt === "own");
  }

  showKey({ tonic, sections }, wishes) {
    const mode = common(sections.map((section) => section.mode));
    const tonics = this.tonics.map((one) => [one, printed(one)]);
    this.tonic.fill([["", `auto · ${printed(tonic)}`], ...tonics]);
    this.mode.fill([["", `auto · ${mode ?? "both"}`], ...this.modes.map((m) => [m, m])]);
    this.tonic.value = wishes.tonic ?? "";
    this.mode.value = wishes.mode ?? "";
  }

  showRare(wishes) {
    const { defaults, syncs } = store.health;
    for (const [key, element] of Object.entries(this.rare)) {
      element.set(wishes[key], key in defaults ? `auto · ${defaults[key]}` : "as usual");
    }
    this.sync.fill([["", `auto · ${SYNCS[defaults.sync].toLowerCase()}`],
      ...syncs.map((name) => [name, SYNCS[name] ?? capital(name)])]);
    this.sync.value = wishes.sync ?? "";
    const rare = [...Object.keys(this.rare), "sync", "guidance", "keep_audio"];
    const set = rare.filter((key) => key in wishes).length;
    show(this.count, set);
    this.count.textContent = set || "";
  }

  toggle(name) {
    const on = !playing(store.document).has(name);
    store.edit(on ? `${name} play` : `without ${name}`, (document) => {
      const names = playing(document);
      if (on) names.add(name);
      else if (names.size > 1) names.delete(name);
      else store.say("At least one instrument has to play.");
      const instruments = store.health.instruments.filter((one) => names.has(one));
      return { wishes: { ...document.wishes, instruments } };
    });
  }

  setMood(name) {
    if (name === "own") return;
    const { seen } = store;
    const drawn = this.mood.querySelector("[value=own]");
    const what = `mood: ${name || "as the film"}`;
    store.edit(what, ({ analysis }) => {
      if (name) {
        const arc = analysis.arc.map(({ start, end }) => ({ start, end, ...this.points[name] }));
        return { analysis: { ...withArc(analysis, arc), estimator: "" } };
      }
      const { arc, valence, arousal, emotion, estimator } = seen;
      return { analysis: { ...analysis, arc, valence, arousal, emotion, estimator } };
    });
    if (drawn) store.say("The whole film has this mood now; Undo brings back what you drew.");
  }

  tapped() {
    const now = performance.now();
    const taps = this.taps && now - this.taps.at(-1) < PAUSE ? this.taps : [];
    this.taps = [...taps.slice(-8), now];
    clearTimeout(this.timer);
    if (this.taps.length < 3) return;
    const beat = (now - this.taps[0]) / (this.taps.length - 1);
    const [slowest, fastest] = store.health.tempo;
    const tempo = Math.round(Math.min(fastest, Math.max(slowest, 60000 / beat)));
    this.tempo.input.value = tempo;
    this.timer = setTimeout(() => wish("tempo", tempo, "tempo"), PAUSE);
  }
}

/** Return the names of those that play: as wished, or anywhere in the plan. */
function playing({ wishes, plan }) {
  return new Set(wishes.instruments ?? plan.sections.flatMap((section) => section.instruments));
}

const feelingOf = ({ start, end, valence, arousal }) => [start, end, valence, arousal];

function near(state, { valence, arousal }) {
  return Math.hypot(state.valence - valence, state.arousal - arousal) < 0.002;
}

async function planAnew() {
  const yes = await confirmed("Plan anew?",
    "The plan is made of the film and of your wishes again. What you changed in the plan by hand "
    + "goes; Undo brings it back.", "Plan anew");
  if (yes) store.planAnew();
}

customElements.define("em-wishes", Wishes);
