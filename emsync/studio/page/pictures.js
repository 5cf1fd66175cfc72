// The last picture before a moment and the first one after it, side by side, as the film has them.

import { make } from "./dom.js";
import { framesOf } from "./edits.js";
import { store } from "./store.js";
import { pictureAt } from "./strip.js";

const [WIDTH, HEIGHT] = [136, 112]; // pixels that a picture has at most

let shown = null; // {figure, sides: [{video, wanted}], url}

// a film that is left is let go at once: what is fetched of it holds connections
store.on("film", () => {
  if (!shown || shown.url === store.film?.picture) return;
  for (const { video } of shown.sides) {
    video.removeAttribute("src");
    video.load();
  }
  shown = null;
});

/** Return a figure with the pictures on both sides of a moment; it is the same one each time. */
export function picturesAt(time) {
  const { film, document: doc } = store;
  if (!film.picture) {
    const near = pictureAt(time);
    return near ? make("img", { src: near.url, alt: "" }) : "";
  }
  if (shown?.url !== film.picture) shown = figureOf(film);
  const frames = framesOf(doc?.analysis.fps ?? film.fps);
  const first = frames.of(time);
  shown.sides.forEach((side, i) => seek(side, frames.at(first - 1 + i) + 0.5 / frames.rate));
  return shown.figure;
}

function figureOf(film) {
  const sides = [0, 1].map(() => ({
    wanted: 0,
    video: make("video", { src: film.picture, muted: true, playsInline: true, preload: "auto",
      tabIndex: -1 }),
  }));
  for (const side of sides) {
    const { video } = side;
    const smaller = Math.min(WIDTH / film.width, HEIGHT / film.height);
    video.style.width = `${smaller * film.width}px`;
    video.style.height = `${smaller * film.height}px`;
    const again = () => Math.abs(video.currentTime - side.wanted) > 1e-3 && seek(side, side.wanted);
    video.addEventListener("seeked", again);
    video.addEventListener("loadedmetadata", again);
  }
  const figure = make("div", { class: "sides" }, ...sides.map((side) => side.video));
  return { url: film.picture, sides, figure };
}

/** Go to a moment; while it is being sought, only the last one that was wanted counts. */
function seek(side, time) {
  side.wanted = Math.max(0, time);
  if (side.video.readyState && !side.video.seeking) side.video.currentTime = side.wanted;
}
