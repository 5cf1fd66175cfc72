// Where an edge that is dragged comes to lie: on a cut that the music answers, else on a frame.

import { draft } from "./draft.js";
import { onFrame } from "./edits.js";
import { scale } from "./scale.js";

const NEAR = 10; // pixels

/** Return the moment at a pixel of a lane, on a kept cut that is near, or on its frame. */
export function snapped(x, free = false) {
  const { analysis } = draft;
  const apart = (cut) => Math.abs(scale.x(cut.time) - x);
  const near = free ? [] : analysis.cuts.filter((cut) => cut.kept && apart(cut) <= NEAR);
  if (near.length) return near.reduce((a, b) => (apart(b) < apart(a) ? b : a)).time;
  return onFrame(scale.time(x), analysis.fps);
}
