// Drawing on canvases: sharp on every screen, in the colours of the page.

import { colour } from "./dom.js";

const TOKENS = ["paper", "raise", "sink", "ink", "faint", "line", "accent", "cut", "drums", "bass",
  "guitar", "piano", "strings", "anger", "disgust", "fear", "joy", "sadness", "surprise",
  "neutral"];
let known = null;
addEventListener("theme", () => { known = null; });

/** The colours of the page by the names of their tokens, as they are now. */
export function colours() {
  known ??= Object.fromEntries(TOKENS.map((name) => [name, colour(`--${name}`)]));
  return known;
}

/** Make a canvas so large, cleared; returns what draws on it in pixels of the page. */
export function cleared(canvas, width, height) {
  const ratio = devicePixelRatio || 1;
  const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== across || canvas.height !== down) {
    canvas.width = across;
    canvas.height = down;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const paint = canvas.getContext("2d");
  paint.setTransform(ratio, 0, 0, ratio, 0, 0);
  paint.clearRect(0, 0, width, height);
  return paint;
}
