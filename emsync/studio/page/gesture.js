// A pointer that is held: one gesture at a time, which Escape, or a second finger, gives up.

const SLACK = 3; // pixels that a click may move
let current = null;

/** Return whether something is dragged. */
export const dragging = () => current !== null;

/** Give up what is dragged. */
export function giveUp() {
  current?.(false);
}

/**
 * Follow the pointer of a pointerdown until it is let go. `acts` has `move(event)`, at most once a
 * frame, then `end()`; or `cancel()`; or `click(event)`, where it was not moved.
 */
export function follow(element, down, acts) {
  if (down.button !== 0 || current) return;
  down.preventDefault();
  element.setPointerCapture(down.pointerId);
  let [last, frame, moved] = [null, 0, false];

  const move = (event) => {
    if (event.pointerId !== down.pointerId) return;
    const far = Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY);
    moved ||= far > SLACK;
    if (!moved || !acts.move) return;
    last = event;
    frame ||= requestAnimationFrame(step);
  };
  const step = () => {
    frame = 0;
    acts.move(last);
  };
  const finish = (whole, event) => {
    current = null;
    for (const [name, act] of Object.entries(own)) element.removeEventListener(name, act);
    removeEventListener("keydown", escape, true);
    if (frame) cancelAnimationFrame(frame);
    if (frame && whole) step();
    if (element.hasPointerCapture(down.pointerId)) element.releasePointerCapture(down.pointerId);
    if (!whole) acts.cancel?.();
    else if (moved) acts.end?.();
    else acts.click?.(event);
  };
  const escape = (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    event.preventDefault();
    finish(false);
  };
  const own = {
    pointermove: move,
    pointerup: (event) => event.pointerId === down.pointerId && finish(true, event),
    pointercancel: (event) => event.pointerId === down.pointerId && finish(false),
  };
  for (const [name, act] of Object.entries(own)) element.addEventListener(name, act);
  addEventListener("keydown", escape, true);
  current = finish;
}
