// What is heard. Recordings lie in memory; those that are heard run from one anchor, each behind a
// gain, so that one gives way to another at any moment without a gap.

const FADE = 0.01; // seconds in which one recording gives way to another
const LEAD = 0.02; // seconds from a decision to its sound
const MOST = 300 * 2 ** 20; // bytes of recordings in memory, but for those that are heard
const MOST_TAKES = 8;
export const LONGEST = 180; // seconds of film up to which recordings lie in memory
const RATE = 44100;

/** Recordings in memory, by key; `url` of each is where it comes from. */
export class Sound {
  exact = true; // it begins where it is told to
  slew = 0.008; // by how much it may run faster or slower, for a moment

  constructor(changed = () => {}) {
    this.changed = changed; // told when a recording has arrived, or could not
    this.context = null;
    this.master = null;
    this.loud = 1;
    this.levels = new Map(); // what is heard, by key
    this.recordings = new Map(); // by key: {url, buffer, failed, used, loading}
    this.running = new Map(); // by key: the nodes that sound
    this.anchor = null; // {at: of the context, place: of the film, rate}
    this.turn = null; // the last call of play
  }

  get playing() {
    return this.anchor !== null;
  }

  /** Make ready to sound: browsers allow it only once a person has pressed something. */
  async wake() {
    if (!this.context) {
      this.context = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
      this.master = this.context.createGain();
      this.master.gain.value = this.loud;
      this.master.connect(this.context.destination);
    }
    if (this.context.state !== "running") await this.context.resume();
  }

  /** Fetch a recording, unless it is there. */
  load(key, url) {
    const known = this.recordings.get(key);
    if (known && known.url === url && !known.failed) return known.loading;
    const recording = { url, buffer: null, failed: false, used: performance.now() };
    recording.loading = this.#fetch(recording).then(
      (buffer) => { recording.buffer = buffer; },
      () => { recording.failed = true; },
    ).then(() => {
      if (this.recordings.get(key) !== recording) return;
      this.#bound();
      this.#settle();
      this.changed();
    });
    this.recordings.set(key, recording);
    return recording.loading;
  }

  async #fetch({ url }) {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`${answer.status}`);
    const bytes = await answer.arrayBuffer();
    return new OfflineAudioContext(2, 1, RATE).decodeAudioData(bytes);
  }

  has(key) {
    return Boolean(this.recordings.get(key)?.buffer);
  }

  failed(key) {
    return Boolean(this.recordings.get(key)?.failed);
  }

  /** Bytes of all recordings in memory. */
  get bytes() {
    return [...this.recordings.values()].reduce((sum, one) => sum + bytesOf(one), 0);
  }

  /** Forget recordings whose keys `kept` does not know. */
  forget(kept) {
    for (const key of this.recordings.keys()) {
      if (!kept(key) && !this.levels.has(key)) this.recordings.delete(key);
    }
  }

  #bound() {
    const idle = [...this.recordings].filter(([key, one]) => one.buffer && !this.levels.has(key));
    idle.sort((a, b) => a[1].used - b[1].used);
    const takes = () => [...this.recordings.keys()].filter((key) => key.startsWith("take:")).length;
    for (const [key] of idle) {
      if (this.bytes <= MOST && takes() <= MOST_TAKES) return;
      this.recordings.delete(key);
    }
  }

  /** Hear these recordings, each as loud as `levels` has it; 0 runs along unheard. */
  hear(levels) {
    this.levels = levels;
    for (const key of levels.keys()) {
      const recording = this.recordings.get(key);
      if (recording) recording.used = performance.now();
    }
    this.#settle();
  }

  /** Begin at a place of the film, which is seen now; what sounded before gives way. */
  async play(place) {
    const turn = this.turn = { place, since: performance.now() };
    await this.wake();
    if (this.turn !== turn) return; // it was stopped, or sent elsewhere, meanwhile
    const now = performance.now();
    const at = this.context.currentTime + LEAD;
    for (const key of this.running.keys()) this.#end(key, at);
    const seen = place + (now - turn.since) / 1000;
    this.anchor = { at, place: seen + at - this.#out(now), rate: 1 };
    this.#settle(at);
  }

  stop() {
    this.anchor = this.turn = null;
    for (const key of this.running.keys()) this.#end(key, this.context.currentTime);
  }

  /** The place of the film that is heard at a time of performance.now(), or null while none is. */
  place(time = performance.now()) {
    return this.anchor ? this.#place(this.#out(time)) : null;
  }

  /** Run a little faster, or slower. */
  bend(rate) {
    if (!this.anchor || this.anchor.rate === rate) return;
    const at = this.context.currentTime + LEAD;
    this.anchor = { at, place: this.#place(at), rate };
    for (const nodes of this.running.values()) nodes.source.playbackRate.setValueAtTime(rate, at);
  }

  /** End for good. */
  close() {
    this.stop();
    this.recordings.clear();
    this.context?.close();
    this.context = null;
  }

  set volume(value) {
    this.loud = value;
    if (this.context) this.master.gain.setTargetAtTime(value, this.context.currentTime, 0.01);
  }

  /** How loud a recording is now, before its gain: the root of its mean square. */
  level(key) {
    const nodes = this.running.get(key);
    if (!nodes) return 0;
    nodes.meter.getFloatTimeDomainData(nodes.wave);
    return Math.sqrt(nodes.wave.reduce((sum, value) => sum + value * value, 0) / nodes.wave.length);
  }

  #place(at) {
    return this.anchor.place + (at - this.anchor.at) * this.anchor.rate;
  }

  /** The time of the context whose sound leaves the machine at a time of performance.now(). */
  #out(time) {
    const { context } = this;
    const latency = context.outputLatency || context.baseLatency || 0;
    const guess = context.currentTime - latency + (time - performance.now()) / 1000;
    const told = context.getOutputTimestamp?.();
    if (!told?.performanceTime) return guess;
    const out = told.contextTime + (time - told.performanceTime) / 1000;
    return Math.abs(out - guess) < 0.3 ? out : guess; // nonsense until the first sound is out
  }

  /** Let sound from `at` what should, and nothing else. */
  #settle(at = this.context ? this.context.currentTime + LEAD : 0) {
    if (!this.anchor) return;
    for (const key of this.running.keys()) if (!this.levels.has(key)) this.#end(key, at);
    for (const [key, level] of this.levels) {
      const nodes = this.running.get(key);
      if (nodes) nodes.level.gain.setTargetAtTime(level, this.context.currentTime, 0.005);
      else if (this.has(key)) this.#begin(key, level, at);
    }
  }

  #begin(key, gain, at) {
    const { context } = this;
    const source = context.createBufferSource();
    const fade = context.createGain();
    const level = context.createGain();
    const meter = context.createAnalyser();
    meter.fftSize = 1024;
    source.buffer = this.recordings.get(key).buffer;
    source.playbackRate.value = this.anchor.rate;
    fade.gain.setValueAtTime(0, at);
    fade.gain.linearRampToValueAtTime(1, at + FADE);
    level.gain.value = gain;
    source.connect(fade).connect(level).connect(this.master);
    fade.connect(meter);
    source.start(at, Math.max(0, this.#place(at)));
    this.running.set(key, { source, fade, level, meter, wave: new Float32Array(1024) });
  }

  #end(key, at) {
    const { source, fade } = this.running.get(key);
    this.running.delete(key);
    fade.gain.setValueAtTime(1, at);
    fade.gain.linearRampToValueAtTime(0, at + FADE);
    source.stop(at + FADE);
  }
}

/** One recording at a time, as it arrives: for films that are too long for memory. */
export class Stream {
  exact = false; // it has to seek first, and that takes a while
  slew = 0.01;

  constructor(changed = () => {}) {
    this.changed = changed;
    this.urls = new Map();
    this.broken = new Set();
    this.levels = new Map();
    this.element = new Audio();
    this.element.preload = "auto";
    this.element.addEventListener("canplay", () => this.changed());
    this.element.addEventListener("error", () => {
      this.broken.add(this.key);
      this.changed();
    });
    this.key = null;
    this.playing = false;
  }

  async wake() {}

  load(key, url) {
    this.urls.set(key, url);
    if (this.levels.has(key)) this.hear(this.levels);
  }

  has(key) {
    return key === this.key ? this.element.readyState >= 3 : this.urls.has(key);
  }

  failed(key) {
    return this.broken.has(key);
  }

  forget(kept) {
    for (const key of this.urls.keys()) if (!kept(key)) this.urls.delete(key);
  }

  hear(levels) {
    this.levels = levels;
    const key = [...levels.keys()].find((one) => this.urls.has(one)) ?? null;
    if (key === this.key) return;
    const place = this.place();
    this.key = key;
    if (key) this.element.src = this.urls.get(key);
    else this.element.removeAttribute("src");
    if (this.playing && key) this.play(place);
  }

  async play(place) {
    this.playing = true;
    if (!this.key) return;
    this.element.playbackRate = 1;
    this.element.currentTime = place;
    await this.element.play().catch(() => {}); // it was stopped before it began
    if (!this.playing) this.element.pause();
  }

  stop() {
    this.playing = false;
    this.element.pause();
  }

  /** The place that is heard at a time of performance.now(), or null while none is. */
  place(time = performance.now()) {
    const { element } = this;
    if (!this.playing || element.paused || element.seeking || element.readyState < 3) return null;
    return element.currentTime + (time - performance.now()) / 1000;
  }

  bend(rate) {
    this.element.playbackRate = rate;
  }

  close() {
    this.stop();
    this.element.removeAttribute("src");
  }

  set volume(value) {
    this.element.volume = value;
  }

  level() {
    return 0;
  }

  get bytes() {
    return 0;
  }
}

function bytesOf({ buffer }) {
  return buffer ? 4 * buffer.length * buffer.numberOfChannels : 0;
}
