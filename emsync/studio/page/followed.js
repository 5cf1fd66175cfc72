// What an edit has changed that nobody asked for: the plan follows the film. It is said once.

import { draft } from "./draft.js";
import { barsIn, over } from "./edits.js";
import { store } from "./store.js";

const MOST = 3; // sections that are named
const DRAWN = ["chords", "tonic", "mode", "seed"]; // wishes that ask for other chords

const MOOD = "mood: "; // what an edit is called that gives one feeling to all
const OVERWRITTEN = "The mood took the place of the feelings that were set by hand; "
  + "Undo brings them back.";

let before = null; // {film, document}

store.on("document", () => {
  const { film, document } = store;
  const old = film && before?.film === film.id ? before.document : null;
  before = { film: film?.id, document };
  if (!old || !document || document === old) return;
  // who walks over the versions asks for all that comes with it
  const isNew = document.version > Math.max(...old.versions.map((one) => one.number));
  if (!isNew || document.what === "plan made anew") return;
  const changed = followed({ ...old, plan: draft.wanted ?? old.plan }, document);
  if (changed) store.say(`The plan follows: ${changed}.`);
  if (document.what.startsWith(MOOD) && drawn(old.analysis.arc)) store.say(OVERWRITTEN);
});

/** Return in words what of a plan has changed that was not wished: tempo, chords; or "". */
export function followed(old, now) {
  const wished = (names) => names.some((name) => old.wishes[name] !== now.wishes[name]);
  const found = [];
  const [from, to] = [old.plan.tempo, now.plan.tempo].map(Math.round);
  if (from !== to && !wished(["tempo"])) found.push(`tempo ${from} → ${to}`);
  const { sections } = now.plan;
  const others = wished(DRAWN) ? [] : sections.flatMap((section, i) =>
    (otherChords(old.plan, now.plan, section) ? [i + 1] : []));
  if (others.length && others.length < sections.length && others.length <= MOST) {
    const list = others.join(", ").replace(/, (\d+)$/, " and $1");
    found.push(`other chords in section${others.length > 1 ? "s" : ""} ${list}`);
  } else if (others.length) found.push("other chords");
  return found.join(", ");
}

/** Return whether other chords are played in a section; that there is room for more is none. */
function otherChords(old, now, section) {
  const was = over(old.sections, section);
  if (!was?.chords) return false; // they were to be drawn
  const [one, two] = [barsIn(old, was), barsIn(now, section)];
  const length = Math.min(one.length, two.length);
  return JSON.stringify(one.slice(0, length)) !== JSON.stringify(two.slice(0, length));
}

/** Return whether an arc is a person's: neither as the film was seen, nor one mood for all. */
function drawn(arc) {
  const points = arc.map(({ valence, arousal }) => `${valence} ${arousal}`);
  const seen = store.seen?.arc.map(({ valence, arousal }) => `${valence} ${arousal}`);
  const one = arc.length > 1 && new Set(points).size === 1;
  return !one && String(points) !== String(seen);
}
