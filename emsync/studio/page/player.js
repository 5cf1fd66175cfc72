// The player: the film's picture leads, the music of the take that is heard follows it.

import { clock, words } from "./clock.js";
import { docking } from "./dock.js";
import { button, icon, make, say, show } from "./dom.js";
import { onKeys } from "./keys.js";
import { each, Moving, Stills } from "./picture.js";
import { LONGEST, Sound, Stream } from "./sound.js";
import { store } from "./store.js";
import { summaryOf, titleOf } from "./take.js";
import { capital } from "./words.js";

const STEP = 5; // seconds of a step
const NEAR = 0.012; // seconds between sound and picture that are let be
const WIDE = 0.025; // that are put right at once, if they are there from the start
const FAR = 0.06; // seconds after which the sound begins anew at its place
const PATIENCE = 3; // pictures that are far off, until it does
const STREAMED = 24; // the same where a start takes a while itself
const FIRST = 8; // pictures after a start by which the next start is put right

/** What is heard, and how: the mixer sets `stems` to hear players apart. */
export const heard = {
  sound: new Sound(),
  stems: null, // {take, levels: Map of keys, neutral} or null: the mix
  whole: false, // the film is in memory

  /** The key of a take's sound. */
  key: (id) => `take:${id}`,

  /** Let be heard what is chosen. */
  settle() {
    const { stems } = heard;
    const levels = new Map();
    if (store.heard) levels.set(heard.key(store.heard), 1);
    if (stems && stems.take === store.heard && stems.keys.every((key) => heard.sound.has(key))) {
      if (!stems.neutral) levels.clear();
      for (const key of stems.keys) levels.set(key, stems.neutral ? 0 : stems.gain(key));
    }
    heard.sound.hear(levels);
  },
};

class Player extends HTMLElement {
  connectedCallback() {
    this.film = null; // the id of the film that is shown
    this.picture = null;
    this.frame = null; // {place, time}: the last picture that was shown
    this.error = 0; // sound minus picture, smoothed
    this.far = 0;
    this.bending = false;
    this.ahead = 0; // seconds by which the picture is further than it says when it starts
    this.started = []; // what the sound was off at the first pictures since
    this.looping = false;
    this.own = false;
    this.#build();
    clock.onSeek = (time) => this.#seek(time);
    clock.onToggle = () => this.#toggle();
    store.on("film strip", () => this.#open());
    store.on("takes heard film", () => this.#hear());
    store.on("range", () => this.#tellLoop());
    clock.on(() => this.#tell());
    each(() => this.#tick());
    onKeys({
      " ": () => clock.toggle(),
      k: () => clock.toggle(),
      Home: () => clock.seek(0),
      j: () => clock.seek(clock.time - STEP),
      l: () => clock.seek(clock.time + STEP),
      ArrowLeft: () => clock.seek(clock.time - STEP),
      ArrowRight: () => clock.seek(clock.time + STEP),
      o: () => this.#loop(),
    });
    globalThis.emsync = {
      sync: () => this.#off(),
      bytes: () => heard.sound.bytes,
    };
  }

  #build() {
    this.screen = make("div", { class: "screen" });
    this.note = make("p", { class: "screen-note small", role: "status" });
    this.place = make("input", {
      type: "range", class: "place", min: "0", max: "1", step: "0.001",
      "aria-label": "Place in the film",
      oninput: () => clock.seek(Number(this.place.value)),
      onkeydown: (event) => {
        if (event.key === " ") clock.toggle();
        const by = { ArrowLeft: -STEP, ArrowRight: STEP }[event.key];
        if (by) clock.seek(clock.time + by);
        if (by || event.key === " ") event.preventDefault();
      },
    });
    this.play = button("Play", () => clock.toggle(), { icon: "play", kind: "play primary" });
    this.loop = button("Loop what is marked", () => this.#loop(),
      { icon: "loop", "aria-pressed": "false" });
    this.ownSound = button("Film's own sound", () => this.#ownSound(),
      { icon: "own", "aria-pressed": "false" });
    this.volume = make("input", {
      type: "range", class: "volume", min: "0", max: "1", step: "0.01", value: "1",
      "aria-label": "Volume",
      oninput: () => this.#volume(),
    });
    this.at = make("span", {});
    this.number = make("span", { class: "frame" });
    this.time = make("output", { class: "time", "aria-live": "off" }, this.at, this.number);
    this.which = make("span", { class: "chip strong which" });
    const box = make("div", { class: "screen-box" }, this.screen, this.note);
    const frame = make("div", { class: "screen-frame" }, box);
    this.append(
      frame,
      make("div", { class: "along" }, this.place, this.which),
      make("div", { class: "transport" },
        make("div", { class: "group" },
          button("To the start (Home)", () => clock.seek(0), { icon: "first", kind: "quiet" }),
          button("Back 5 seconds (J)", () => clock.seek(clock.time - STEP),
            { icon: "back", kind: "quiet" }),
          this.play,
          button("Forward 5 seconds (L)", () => clock.seek(clock.time + STEP),
            { icon: "forward", kind: "quiet" }),
          this.loop),
        this.time,
        make("div", { class: "loudness" }, this.ownSound,
          make("label", { class: "volume-field" }, icon("loud"), this.volume))),
    );
    docking(frame, box);
    this.#volume();
    this.#tellLoop();
  }

  /** Show the film that is open: its picture as soon as there is one. */
  #open() {
    const { film } = store;
    if (film && film.id !== this.film) this.unplayable = null;
    const address = film && film.picture !== this.unplayable ? film.picture : null;
    const shown = film && `${film.id} ${address}`;
    if (!film) return this.#close();
    if (shown === this.shown) return undefined;
    const again = this.film === film.id; // a copy for the browser has come
    const place = again ? clock.time : 0;
    const playing = again && clock.playing;
    this.#close();
    this.film = film.id;
    this.shown = shown;
    if (!again) this.#begin(film);
    const told = (name) => this.#told(name);
    this.picture = address ? new Moving(address, told) : new Stills(film.duration ?? 0, told);
    this.screen.replaceChildren(this.picture.element);
    const { width, height } = film;
    this.closest(".stage").style.setProperty("--aspect", width ? String(width / height) : "1.7778");
    this.picture.frames((at, time) => this.#shownAt(at, time));
    show(this.ownSound, Boolean(film.has_audio && address));
    clock.tell({ time: place, duration: film.duration ?? 0, playing: false });
    this.place.max = film.duration ?? 0;
    if (place) this.picture.seek(place);
    if (playing) this.#start();
    this.#notes();
    return undefined;
  }

  /** Begin to hear a film. */
  #begin(film) {
    heard.whole = (film.duration ?? 0) <= LONGEST;
    const told = () => this.#notes();
    heard.sound.close();
    heard.sound = heard.whole ? new Sound(told) : new Stream(told);
    heard.stems = null;
    this.ahead = heard.whole ? 0 : 0.06;
    this.#volume();
    this.#hear();
  }

  #close() {
    heard.sound.stop();
    this.picture?.end();
    this.picture = this.film = this.shown = this.frame = null;
    this.screen.replaceChildren();
    clock.tell({ time: 0, playing: false });
  }

  /** Load what can be heard, the chosen take first. */
  #hear() {
    if (!store.film) return;
    const ids = store.takes.map((take) => take.id);
    const others = ids.filter((id) => id !== store.heard).slice(-7);
    heard.sound.forget((key) => !key.startsWith("take:")
      || store.takes.some((take) => heard.key(take.id) === key));
    heard.settle();
    this.#load([...(store.heard ? [store.heard] : []), ...others]);
    const take = summaryOf(store.heard);
    show(this.which, Boolean(take));
    this.which.textContent = take ? capital(titleOf(take)) : "";
    this.#notes();
  }

  async #load(ids) {
    const { sound } = heard;
    for (const id of ids) {
      await sound.load(heard.key(id), `/api/takes/${id}/sound`);
      if (sound !== heard.sound) return; // another film is open
    }
  }

  #notes() {
    const { film } = store;
    const sentences = [];
    if (film && !film.picture && film.state === "ready") {
      sentences.push("A copy that this browser can play is being made; stills stand in for it.");
    } else if (film && film.picture === this.unplayable) {
      sentences.push("This browser cannot play the film; stills stand in for it.");
    }
    const take = summaryOf(store.heard);
    this.dataset.sound = take && heard.sound.has(heard.key(take.id)) ? "ready" : "none";
    if (take) {
      const key = heard.key(take.id);
      if (heard.sound.failed(key)) sentences.push(`The sound of ${titleOf(take)} did not arrive.`);
      else if (!heard.sound.has(key)) sentences.push(`Fetching the sound of ${titleOf(take)} …`);
    }
    this.note.textContent = sentences.join(" ");
    show(this.note, Boolean(this.note.textContent));
  }

  // --- what a person does ---

  #toggle() {
    if (!this.picture) return;
    if (this.picture.paused) this.#start();
    else this.picture.pause();
  }

  async #start() {
    const { picture } = this;
    heard.sound.wake();
    const { range } = store;
    if (this.looping && range && (picture.time < range.from || picture.time >= range.to - 0.02)) {
      picture.seek(range.from);
    } else if (picture.ended || clock.time >= clock.duration - 1e-3) picture.seek(0);
    try {
      await picture.play();
    } catch (error) {
      if (error.name !== "AbortError") this.#giveUp(); // it is that where it was paused meanwhile
    }
  }

  #seek(time) {
    this.frame = null;
    this.picture?.seek(time);
  }

  #loop() {
    this.looping = !this.looping;
    this.#tellLoop();
  }

  #tellLoop() {
    this.loop.setAttribute("aria-pressed", String(this.looping));
    const words = store.range ? "Loop what is marked (O)" : "Loop the film (O)";
    this.loop.title = words;
    this.loop.setAttribute("aria-label", words);
  }

  #ownSound() {
    this.own = !this.own;
    this.ownSound.setAttribute("aria-pressed", String(this.own));
    this.#volume();
  }

  #volume() {
    const value = Number(this.volume.value);
    this.volume.style.setProperty("--fill", `${100 * value}%`);
    heard.sound.volume = value ** 2; // as loudness is heard
    if (this.picture?.element instanceof HTMLVideoElement) {
      this.picture.element.muted = !this.own;
      this.picture.element.volume = value ** 2;
    }
  }

  // --- what the picture does ---

  #told(name) {
    const { picture } = this;
    if (!picture) return;
    const runs = !picture.paused && !picture.busy;
    if ((name === "playing" || name === "seeked") && runs) this.#sound();
    if (["pause", "seeking", "waiting", "ended", "error"].includes(name)) heard.sound.stop();
    if (name === "error") this.#giveUp();
    if (name === "ended" && this.looping && !store.range) {
      clock.seek(0);
      this.#start();
    }
    clock.tell({ playing: !picture.paused, ...(picture.busy ? {} : { time: this.#now() }) });
  }

  /** Show stills where the browser cannot play the film after all. */
  #giveUp() {
    if (!(this.picture instanceof Moving) || !store.film?.picture) return;
    this.unplayable = store.film.picture;
    this.#open();
  }

  #now() {
    return Math.min(clock.duration, this.picture.time);
  }

  /** Begin to sound where the picture is. */
  #sound() {
    this.frame = null;
    this.started = [];
    this.#put(this.picture.time + this.ahead);
  }

  #put(place) {
    this.error = this.far = 0;
    this.bending = false;
    heard.sound.play(place);
  }

  /** Keep the sound with the picture, which was shown at a time. */
  #shownAt(place, time) {
    if (this.picture.paused || this.picture.busy) return;
    this.frame = { place, time };
    const off = this.#off();
    if (off === null) return;
    const { exact } = heard.sound;
    this.far = Math.abs(off) > FAR ? this.far + 1 : 0;
    if (this.far >= (exact ? PATIENCE : STREAMED)) {
      if (exact) this.#put(place + (performance.now() - time) / 1000);
      else this.#sound();
      return;
    }
    if (this.started.length < FIRST && this.started.push(off) === FIRST) {
      const mean = this.started.reduce((sum, one) => sum + one, 0) / FIRST;
      this.ahead = Math.min(0.15, Math.max(-0.15, this.ahead - mean));
      if (exact && Math.abs(mean) > WIDE) {
        this.#put(heard.sound.place() - mean);
        return;
      }
    }
    this.error += 0.15 * (off - this.error);
    this.bending = Math.abs(this.error) > (this.bending ? NEAR / 3 : NEAR);
    const { slew } = heard.sound;
    const by = this.bending ? Math.max(-slew, Math.min(slew, this.error / 5)) : 0;
    heard.sound.bend(1 - Math.round(1000 * by) / 1000);
  }

  /** Seconds of sound minus picture at the last picture, or null while either stands. */
  #off() {
    if (!this.frame || !heard.sound.playing) return null;
    const place = heard.sound.place(this.frame.time);
    return place === null ? null : place - this.frame.place;
  }

  #tick() {
    const { picture } = this;
    if (!picture || picture.paused) return;
    const { range } = store;
    if (picture.busy) return;
    if (this.looping && range && picture.time >= range.to - 0.01) clock.seek(range.from);
    else clock.tell({ time: this.#now(), playing: true });
  }

  #tell() {
    const { time, duration, playing } = clock;
    const fps = rate(store.film?.fps);
    const last = (store.film?.frames ?? 1) - 1;
    say(this.at, `${words(time)} / ${words(duration)}`);
    say(this.number, fps ? `frame ${Math.min(last, Math.floor(time * fps + 1e-4))}` : "");
    this.place.value = time;
    this.place.style.setProperty("--fill", `${(100 * time) / Math.max(duration, 1e-3)}%`);
    this.place.setAttribute("aria-valuetext", words(time));
    if (this.wasPlaying === playing) return;
    this.wasPlaying = playing;
    const name = playing ? "Pause (Space)" : "Play (Space)";
    this.play.replaceChildren(icon(playing ? "pause" : "play"));
    this.play.title = name;
    this.play.setAttribute("aria-label", name);
  }
}

/** Frames a second of "30000/1001". */
function rate(text) {
  const [over, under = 1] = String(text ?? 0).split("/").map(Number);
  return over / under;
}

customElements.define("em-player", Player);
