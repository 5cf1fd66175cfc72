// The picture that leads: the film itself, or stills of it while no browser can play it yet.
// Both have: element, time, paused, busy, play(), pause(), seek(t), frames(act), end(). What
// happens is told by name: playing, pause, seeking, seeked, waiting, ended, error.

import { make } from "./dom.js";
import { store } from "./store.js";

const TOLD = ["playing", "pause", "seeking", "seeked", "waiting", "ended", "error", "loadeddata"];

/** The film as the browser plays it. */
export class Moving {
  constructor(url, told) {
    this.element = make("video", { src: url, preload: "auto", "aria-label": "The film" });
    this.element.muted = true;
    this.element.playsInline = true;
    for (const name of TOLD) this.element.addEventListener(name, () => told(name));
  }

  get time() {
    return this.element.currentTime;
  }

  get paused() {
    return this.element.paused;
  }

  /** Whether it is on its way to another place. */
  get busy() {
    return this.element.seeking;
  }

  get ended() {
    return this.element.ended;
  }

  async play() {
    await this.element.play();
  }

  pause() {
    this.element.pause();
  }

  seek(time) {
    this.element.currentTime = time;
  }

  /** Call `act` with the place of each picture that is shown, and when: as performance.now(). */
  frames(act) {
    const { element } = this;
    if (!element.requestVideoFrameCallback) {
      this.stop = each((now) => !element.paused && act(element.currentTime, now));
      return;
    }
    let on = true;
    const next = (now, { mediaTime, expectedDisplayTime }) => {
      if (!on) return;
      act(mediaTime, expectedDisplayTime);
      element.requestVideoFrameCallback(next);
    };
    element.requestVideoFrameCallback(next);
    this.stop = () => { on = false; };
  }

  end() {
    this.stop?.();
    this.element.pause();
    this.element.removeAttribute("src");
    this.element.load();
  }
}

/** The pictures of the strip, each when it is due. */
export class Stills {
  constructor(duration, told) {
    this.element = make("img", { alt: "A still of the film" });
    this.duration = duration;
    this.told = told;
    this.from = 0; // seconds of the film, at `since`
    this.since = null; // performance.now(); null while it stands
    this.busy = false;
    this.#draw();
  }

  get time() {
    const gone = this.since === null ? 0 : (performance.now() - this.since) / 1000;
    return Math.min(this.duration, this.from + gone);
  }

  get paused() {
    return this.since === null;
  }

  get ended() {
    return this.paused && this.time >= this.duration;
  }

  async play() {
    if (this.ended) this.from = 0;
    this.since = performance.now();
    this.told("playing");
  }

  pause() {
    if (this.paused) return;
    this.from = this.time;
    this.since = null;
    this.told("pause");
  }

  seek(time) {
    this.from = time;
    if (this.since !== null) this.since = performance.now();
    this.#draw();
    this.told("seeked");
  }

  frames(act) {
    this.stop = each((now) => {
      this.#draw();
      if (this.paused) return;
      if (this.time >= this.duration) {
        this.pause();
        this.told("ended");
      } else act(this.from + (now - this.since) / 1000, now);
    });
  }

  end() {
    this.stop?.();
  }

  #draw() {
    const due = store.strip.filter((one) => one.time <= this.time + 1e-3).at(-1) ?? store.strip[0];
    if (due && this.shown !== due.url) {
      this.shown = due.url;
      this.element.src = due.url;
    }
    this.element.hidden = !due;
  }
}

/** Call `act` before each paint; returns what ends it. */
export function each(act) {
  let request = requestAnimationFrame(function next(now) {
    act(now);
    request = requestAnimationFrame(next);
  });
  return () => cancelAnimationFrame(request);
}
