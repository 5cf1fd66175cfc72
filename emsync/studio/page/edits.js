// Edits of an analysis and of a plan, as pure functions: each returns a new value that the library
// reads. What numbers are called is left to it: "" for an emotion, {} for its shares.

const SAME = 0.002; // seconds within which two times are one moment
export const CALM = { valence: 0.3, arousal: -0.5 }; // beside the six emotions
export const SHORTEST = 0.25; // seconds of a state or a section that is made by hand

/** Return the frames of a film of `fps` such as "30000/1001": `at(k)` seconds, `of(time)`. */
export function framesOf(fps) {
  const [over, under = 1] = String(fps).split("/").map(Number);
  const known = over > 0 && under > 0;
  const rate = known ? over / under : 25;
  return {
    known,
    rate,
    at: (frame) => (known ? (frame * under) / over : frame / rate),
    of: (time) => Math.round(time * rate),
  };
}

/** Return a moment of a film on its nearest frame. */
export const onFrame = (time, fps) => framesOf(fps).at(framesOf(fps).of(time));

// --- cuts ---

const frameOf = (cut, frames) => cut.frame ?? frames.of(cut.time);

/** Return the frame nearest `wanted`, within the film, that has no cut but `own`; null if none. */
export function freeFrame(analysis, wanted, own = null) {
  const frames = framesOf(analysis.fps);
  const last = Math.ceil(analysis.duration * frames.rate - 1e-6) - 1;
  const taken = new Set();
  for (const cut of analysis.cuts) if (cut !== own) taken.add(frameOf(cut, frames));
  const at = Math.min(Math.max(1, wanted), last);
  for (let far = 0; far <= last; far += 1) {
    for (const frame of [at - far, at + far]) {
      if (frame >= 1 && frame <= last && !taken.has(frame)) return frame;
    }
  }
  return null;
}

function withCuts(analysis, cuts) {
  return { ...analysis, cuts: [...cuts].sort((a, b) => a.time - b.time) };
}

/**
 * Return {analysis, cut} with `cut` brought to a frame; states whose edge lies on it go along. One
 * that is left out stays so for the reason it has.
 */
export function moveCut(analysis, cut, wanted) {
  const frames = framesOf(analysis.fps);
  const frame = freeFrame(analysis, wanted, cut);
  if (frame === null || frame === frameOf(cut, frames)) return { analysis, cut };
  const time = frames.at(frame);
  const moved = { ...cut, time, frame: frames.known ? frame : null };
  if (cut.kept && cut.kind === "cut") moved.reason = "by hand";
  const cuts = analysis.cuts.map((one) => (one === cut ? moved : one));
  const arc = edgeMoved(analysis.arc, cut.time, time);
  return { analysis: withArc(withCuts(analysis, cuts), arc), cut: moved };
}

/** Return {analysis, cut} with a new cut on a frame. */
export function addCut(analysis, wanted) {
  const frames = framesOf(analysis.fps);
  const frame = freeFrame(analysis, wanted);
  if (frame === null) return { analysis, cut: null };
  const cut = { time: frames.at(frame), strength: 1, kept: true, reason: "by hand",
    frame: frames.known ? frame : null, kind: "cut" };
  return { analysis: withCuts(analysis, [...analysis.cuts, cut]), cut };
}

/** Return an analysis without `cut`. */
export const removeCut = (analysis, cut) =>
  withCuts(analysis, analysis.cuts.filter((one) => one !== cut));

/** Return {analysis, cut} with `cut` answered by the music, or no longer, for `reason`. */
export function turnCut(analysis, cut, reason) {
  const turned = { ...cut, kept: !cut.kept, reason };
  const cuts = analysis.cuts.map((one) => (one === cut ? turned : one));
  return { analysis: withCuts(analysis, cuts), cut: turned };
}

// --- the arc ---

function edgeMoved(arc, from, to) {
  const at = arc.findIndex((state, i) => i && Math.abs(state.start - from) <= SAME);
  return at < 1 ? arc : withEdge(arc, at, to);
}

/** Return parts of the film (states, sections) with the beginning of number `at` at `time`. */
export function withEdge(parts, at, time) {
  const [before, after] = [parts[at - 1], parts[at]];
  const least = Math.min(SHORTEST, (after.end - before.start) / 4);
  const edge = Math.min(Math.max(time, before.start + least), after.end - least);
  const changed = [...parts];
  changed[at - 1] = { ...before, end: edge };
  changed[at] = { ...after, start: edge };
  return changed;
}

/** Return an analysis with another arc; the whole feels as its mean. */
export function withArc(analysis, arc) {
  if (arc === analysis.arc) return analysis;
  return { ...analysis, arc, emotion: {}, valence: mean(arc, "valence"),
    arousal: mean(arc, "arousal") };
}

function mean(arc, axis) {
  const known = arc.filter((state) => state[axis] !== null);
  const seconds = known.reduce((sum, state) => sum + state.end - state.start, 0);
  const total = known.reduce((sum, state) => sum + (state.end - state.start) * state[axis], 0);
  return seconds ? Math.min(1, Math.max(-1, total / seconds)) : null;
}

/** Return all points that a stretch can be made to feel, by name. */
export function feelings(emotions) {
  return { ...emotions, calm: CALM, neutral: { valence: 0, arousal: 0 } };
}

/** Return whether a state or a section is at the point of this name. */
export function feels({ emotion, valence, arousal }, name) {
  const calm = valence === CALM.valence && arousal === CALM.arousal;
  return calm ? name === "calm" : emotion === name;
}

/** Return an analysis in which state number `at` feels as `numbers` say: given by a person. */
export function feel(analysis, at, numbers) {
  const arc = analysis.arc.map((state, i) =>
    i === at ? { ...state, ...numbers, emotion: "" } : state);
  return { ...withArc(analysis, arc), estimator: "" };
}

/** Return whether parts can be split at `time`, and into which: the number, or -1. */
export function splitPlace(parts, time) {
  return parts.findIndex((part) => time - part.start >= SHORTEST && part.end - time >= SHORTEST);
}

/** Return parts with number `at` in two. */
export function split(parts, at, time) {
  const part = parts[at];
  return parts.toSpliced(at, 1, { ...part, end: time }, { ...part, start: time });
}

/** Return an analysis whose state `at` goes on to the end of the next, and feels their mean. */
export function mergeStates(analysis, at) {
  const two = analysis.arc.slice(at, at + 2);
  const one = { ...two[0], end: two[1].end, emotion: "", valence: mean(two, "valence"),
    arousal: mean(two, "arousal") };
  return withArc(analysis, analysis.arc.toSpliced(at, 2, one));
}

// --- the plan ---

/** Return the section of `sections` that is played in the middle of another one, or none. */
export function over(sections, { start, end }) {
  return sections.find((one) => (start + end) / 2 < one.end);
}

/** Return a plan with `changes` to section `at`. */
export function withSection(plan, at, changes) {
  const felt = "valence" in changes || "arousal" in changes ? { emotion: "" } : {};
  const changed = { ...plan.sections[at], ...felt, ...changes };
  const sections = plan.sections.map((one, i) => (i === at ? changed : one));
  return { ...plan, sections };
}

/** Return the chords of a chart by half bars: "Am F/2 G/2" is Am, Am, F, G. */
export function halvesOf(chart) {
  const words = chart.replace(/[|,]/g, " ").split(/\s+/).filter(Boolean);
  return words.flatMap((word) => (word.endsWith("/2") ? [word.slice(0, -2)] : [word, word]));
}

/** Return half bars as a chart. */
export function chartOf(halves) {
  const words = [];
  for (let i = 0; i < halves.length; i += 2) {
    const [one, two] = [halves[i], halves[i + 1]];
    if (i && i % 8 === 0) words.push("|");
    if (one === two) words.push(one);
    else words.push(...[one, two].filter(Boolean).map((chord) => `${chord}/2`));
  }
  return words.join(" ");
}

/** Return the chord of each half bar of a section: its chart, as often as there is room. */
export function harmonyOf(plan, section) {
  const halves = halvesOf(section.chords);
  const room = 2 * Math.max(1, Math.round(((section.end - section.start) * plan.tempo) / 240));
  if (!halves.length) return [];
  if (Math.abs(halves.length - room) <= 2) return halves;
  return Array.from({ length: room }, (_, i) => halves[i % halves.length]);
}

/** Return the chords of a section, a list for each bar: one for each half of it, or for both. */
export function barsIn(plan, section) {
  const halves = harmonyOf(plan, section);
  return Array.from({ length: Math.ceil(halves.length / 2) }, (_, i) => {
    const [one, two] = halves.slice(2 * i, 2 * i + 2);
    return two && two !== one ? [one, two] : [one];
  });
}

/**
 * Return where bars and chords of a plan will be: {bars, chords: [{time, name}]}. It is a guess, by
 * even bars from where each section begins.
 */
export function placesOf(plan) {
  const found = { bars: [], chords: [] };
  for (const section of plan.sections) {
    const bars = barsIn(plan, section);
    const each = (section.end - section.start) / Math.max(1, bars.length);
    bars.forEach((chords, i) => {
      const start = section.start + i * each;
      found.bars.push(start);
      chords.forEach((name, half) => {
        const goesOn = i + half > 0 && found.chords.at(-1).name === name;
        if (!goesOn) found.chords.push({ time: start + (half * each) / 2, name });
      });
    });
  }
  return found;
}

/** Return a plan whose section `at` is two: both play on as the one did. */
export function splitSection(plan, at, time) {
  const section = plan.sections[at];
  const halves = harmonyOf(plan, section);
  const share = (time - section.start) / (section.end - section.start);
  const first = Math.min(halves.length, 2 * Math.max(1, Math.round((share * halves.length) / 2)));
  const rest = first < halves.length ? halves.slice(first) : halves.slice(-2);
  const sections = split(plan.sections, at, time);
  sections[at].chords = chartOf(halves.slice(0, first));
  sections[at + 1].chords = chartOf(rest);
  return { ...plan, sections };
}

/** Return a plan whose section `at` goes on to the end of the next, with the chords of both. */
export function mergeSections(plan, at) {
  const [one, two] = plan.sections.slice(at, at + 2);
  const halves = one.chords && two.chords ? [...harmonyOf(plan, one), ...harmonyOf(plan, two)] : [];
  const whole = { ...one, end: two.end, chords: chartOf(halves) };
  return { ...plan, sections: plan.sections.toSpliced(at, 2, whole) };
}
