// The strip: pictures of the film at their times, as many as have room, none distorted.

import { make, say } from "./dom.js";
import { Lane, children, place } from "./lane.js";
import { seekAlong } from "./ruler.js";
import { scale } from "./scale.js";
import { store } from "./store.js";

const LEAST = 0.75; // of its own width that a picture is shown at least
const MOST = 1.5; // of its own width that a picture is widened to, its top and bottom left out
const SAME = 0.01; // seconds before a cut within which a picture is of the shot after it

/** Return the picture of a film that is nearest a moment, or null. */
export function pictureAt(time) {
  const apart = (picture) => Math.abs(picture.time - time);
  return store.strip.reduce((best, one) => (best && apart(best) <= apart(one) ? best : one), null);
}

class Strip extends Lane {
  static title = "Film";
  static shows = "film strip seen";

  build() {
    this.empty = make("p", { class: "empty" });
    this.pictures = make("div", { class: "pictures" });
    this.stage.append(this.pictures, this.empty);
    this.stage.addEventListener("pointerdown", (down) => seekAlong(this.stage, down));
  }

  draw() {
    const { film } = store;
    const strip = [...store.strip].sort((a, b) => a.time - b.time);
    say(this.empty, strip.length ? "" : film ? "The first pictures come in a moment." : "");
    const height = this.stage.clientHeight;
    const own = height * (film?.width && film?.height ? film.width / film.height : 16 / 9);
    const cuts = store.seen?.cuts.map((cut) => cut.time) ?? null;
    children(this.pictures, strip.length ? shown(strip, own, cuts) : [],
      () => make("img", { alt: "", draggable: false, decoding: "async" }),
      (image, { picture, x, width }) => {
        if (image.getAttribute("src") !== picture.url) image.src = picture.url;
        place(image, x, width - 1);
      });
  }
}

/** Return the pictures that are in view, and where: of each shot where there is room, else few. */
function shown(strip, own, cuts) {
  const edges = [0, ...(cuts ?? []), scale.whole];
  const inView = edges.filter((edge) => edge > scale.from && edge < scale.to).length + 1;
  const roomy = cuts && inView * LEAST * own <= scale.width;
  const found = roomy
    ? edges.slice(1).flatMap((end, i) => ofShot(strip, own, edges[i], end))
    : spread(strip, own, 0, scale.whole)
      .map(({ picture, x, room }) => ({ picture, x, width: Math.min(room, MOST * own) }));
  return found.filter(({ x, width }) => x < scale.width && x + width > 0);
}

/** Return the pictures of a shot, each again until the next one comes; the film has no other. */
function ofShot(strip, own, start, end) {
  const taken = strip.filter(({ time }) => time >= start - SAME && time < end - SAME);
  if (!taken.length || start > scale.to || end < scale.from) return [];
  return spread(taken, own, start, end).flatMap(({ picture, x, room }) => {
    const count = Math.max(1, Math.round(room / own));
    const width = room / count;
    const first = Math.max(0, Math.floor(-x / width));
    const last = Math.min(count, Math.ceil((scale.width - x) / width));
    return Array.from({ length: Math.max(0, last - first) }, (_, i) =>
      ({ picture, x: x + (first + i) * width, width }));
  });
}

/** Return every nth of some pictures, so that each has room in its stretch of the film. */
function spread(pictures, own, start, end) {
  const ends = [...pictures.slice(1).map((one) => one.time), end];
  const usual = (scale.x(end) - scale.x(start)) / pictures.length;
  const each = Math.max(1, Math.ceil((LEAST * own) / usual));
  const found = [];
  for (let i = 0; i < pictures.length; i += each) {
    const x = scale.x(i ? pictures[i].time : start);
    const room = scale.x(ends[Math.min(i + each, pictures.length) - 1]) - x;
    found.push({ picture: pictures[i], x, room });
  }
  return found;
}

customElements.define("em-strip", Strip);
