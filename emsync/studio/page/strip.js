// The strip: pictures of the film at their times, as many as have room, none distorted.

import { make, say } from "./dom.js";
import { Lane, children, place } from "./lane.js";
import { seekAlong } from "./ruler.js";
import { scale } from "./scale.js";
import { store } from "./store.js";

const LEAST = 0.75; // of its own width that a picture is shown at least
const MOST = 1.5; // of its own width that a picture is widened to, its top and bottom left out

/** Return the picture of a film that is nearest a moment, or null. */
export function pictureAt(time) {
  const apart = (picture) => Math.abs(picture.time - time);
  return store.strip.reduce((best, one) => (best && apart(best) <= apart(one) ? best : one), null);
}

class Strip extends Lane {
  static title = "Film";
  static shows = "film strip";

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
    children(this.pictures, strip.length ? shown(strip, own) : [],
      () => make("img", { alt: "", draggable: false, decoding: "async" }),
      (image, { picture, x, room }) => {
        if (image.getAttribute("src") !== picture.url) image.src = picture.url;
        place(image, x, Math.min(room - 1, MOST * own));
      });
  }
}

/** Return which of the pictures are in view, and where: every nth, so that each has room. */
function shown(strip, own) {
  const ends = [...strip.slice(1).map((one) => one.time), scale.whole];
  const usual = scale.x(ends.at(-1)) - scale.x(strip[0].time);
  const each = Math.max(1, Math.ceil((LEAST * own) / (usual / strip.length)));
  const found = [];
  for (let i = 0; i < strip.length; i += each) {
    const x = scale.x(i ? strip[i].time : 0);
    const room = scale.x(ends[Math.min(i + each, strip.length) - 1]) - x;
    if (x < scale.width && x + room > 0) found.push({ picture: strip[i], x, room });
  }
  return found;
}

customElements.define("em-strip", Strip);
