// A take, whole: fetched once, and again when its files or stems are others. And what it is called.

import { ask } from "./api.js";
import { store } from "./store.js";

const known = new Map(); // by id: {made, take: promise}

/** Resolve to the take of this id with its notes, bars, cuts and chords. */
export function takeOf(id) {
  const summary = summaryOf(id);
  const made = JSON.stringify([summary?.stems, summary?.files]);
  let entry = known.get(id);
  if (entry?.made !== made) {
    entry = { made, take: ask("GET", `/api/takes/${id}`) };
    entry.take.catch(() => known.delete(id));
    known.set(id, entry);
    for (const old of known.keys()) if (old !== id && !summaryOf(old)) known.delete(old);
  }
  return entry.take;
}

/** What the list of takes says of one. */
export function summaryOf(id) {
  return store.takes.find((take) => take.id === id) ?? null;
}

/** "piece 2", or "piece 2a" for a draft of it. */
export function titleOf(take) {
  return `piece ${take.name}`;
}

/** The piece that a draft, or a draft of a draft, was made of. */
export function rootOf(take) {
  const parent = take.parent && summaryOf(take.parent);
  return parent ? rootOf(parent) : take;
}

/** The hour of the day a take was made at. */
export function hourOf(take) {
  const day = new Date(take.created * 1000);
  return day.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

/** The takes that the number keys play: pieces of a run, and the newest drafts of one of them. */
export function slots(heard = summaryOf(store.heard), most = 8) {
  if (!heard) return [];
  const root = rootOf(heard);
  const pieces = store.takes.filter((take) => !take.parent && take.run === root.run);
  const rows = pieces.includes(root) ? pieces : [root, ...pieces];
  const drafts = store.takes.filter((take) => take.parent && rows.includes(rootOf(take)));
  const run = heard.parent ? heard.run : drafts.at(-1)?.run;
  const newest = drafts.filter((take) => take.run === run).slice(0, most - 1);
  const of = newest[0] && rootOf(newest[0]);
  const first = rows.slice(0, most - newest.length);
  if (of && !first.includes(of)) first.splice(-1, 1, of);
  return [...first, ...newest];
}

/** The bars that a stretch covers, as their numbers: {first, last}. */
export function barsOf(take, { from, to }) {
  const first = take.bars.filter((bar) => bar <= from + 1e-3).length;
  const last = take.bars.filter((bar) => bar < to - 1e-3).length;
  return { first: Math.max(1, first), last: Math.max(1, first, last) };
}

/** "bar 5", or "bars 5–8". */
export function barWords(take, range) {
  const { first, last } = barsOf(take, range);
  return first === last ? `bar ${first}` : `bars ${first}–${last}`;
}

/** The stretch of whole bars that is nearest to one that was marked in another take. */
export function fitted(take, { from, to }) {
  const edges = edgesOf(take);
  const near = (time) => edges.reduce((a, b) => (Math.abs(b - time) < Math.abs(a - time) ? b : a));
  const first = near(from);
  return first < near(to) ? { from: first, to: near(to) } : snapped(take, from, to);
}

/** The stretch of whole bars that covers what is between two moments. */
export function snapped(take, one, other) {
  const edges = edgesOf(take);
  const low = Math.min(one, other);
  const high = Math.max(one, other);
  const from = edges.filter((edge) => edge <= low + 1e-3).at(-1) ?? 0;
  const to = edges.find((edge) => edge >= high - 1e-3 && edge > from) ?? take.duration;
  return { from, to };
}

function edgesOf(take) {
  return [0, ...take.bars.filter((bar) => bar > 1e-3), take.duration];
}
