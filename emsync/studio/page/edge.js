// An edge between two stretches of a lane, dragged: feelings and sections alike.

import { clock, words } from "./clock.js";
import { make } from "./dom.js";
import { draft } from "./draft.js";
import { follow } from "./gesture.js";
import { tell } from "./lane.js";
import { picturesAt } from "./pictures.js";
import { snapped } from "./snap.js";

/** Drag the edge before stretch `edge` of `lane`, whose handle is `element`.
 *
 * `name` is the part of the draft that changes; `moved(part, time)` returns it with the edge there,
 * `rows(part)` its stretches; `what` was done in the end.
 */
export function dragEdge(lane, down, element, { edge, name, moved, rows, what }) {
  const before = draft[name];
  const from = clock.time;
  let now = before;
  element.focus({ preventScroll: true });
  follow(lane.stage, down, {
    move: (event) => {
      now = moved(before, snapped(lane.x(event), event.altKey));
      draft.show({ [name]: now });
      const { start } = rows(now)[edge];
      if (!clock.playing) clock.seek(start);
      tell(lane.placeOf(start), picturesAt(start), make("strong", {}, words(start, 2)));
    },
    end: () => {
      tell(null);
      if (now !== before) draft.keep(what, { [name]: now });
    },
    cancel: () => {
      tell(null);
      draft.drop();
      if (!clock.playing) clock.seek(from);
    },
  });
}
