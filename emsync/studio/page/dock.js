// The film in a corner while its own place is scrolled out of view: the very same element, so
// that nothing stops. It can be put away until its place is seen again, and moved to the other
// corner; both are at the right, since the controls of lanes are at their left.

import { clock, words } from "./clock.js";
import { button, icon, make } from "./dom.js";
import { hear } from "./candidates.js";
import { store } from "./store.js";
import { slots, titleOf } from "./take.js";

const SEEN = 0.3; // of its place that has to be in view for the film to be there
const CORNER = "emsync-corner"; // in localStorage: "high" or "low"

/** Let `box`, whose place is `frame`, go to a corner while that is out of view. */
export function docking(frame, box) {
  const play = button("Play, or pause", () => clock.toggle(), { icon: "play", kind: "quiet small" });
  const time = make("span", { class: "small" });
  const pieces = make("div", { class: "dock-pieces", role: "group", "aria-label": "Piece" });
  const bar = make("div", { class: "dock-bar" }, play, time,
    button("Move the film to the other corner", move, { icon: "corner", kind: "quiet small" }),
    button("Put the film away", () => settle({ away: true }), { icon: "close", kind: "quiet small" }));
  box.append(bar, pieces);
  const state = { out: false, away: false };
  box.dataset.corner = localStorage.getItem(CORNER) ?? "low";

  function move() {
    box.dataset.corner = box.dataset.corner === "low" ? "high" : "low";
    localStorage.setItem(CORNER, box.dataset.corner);
    settle({});
  }

  function settle(parts) {
    Object.assign(state, parts);
    const docked = state.out && !state.away;
    box.classList.toggle("docked", docked);
    const low = docked && box.dataset.corner === "low";
    document.documentElement.style.setProperty("--docked", `${low ? box.offsetHeight + 12 : 0}px`);
    if (docked) show();
  }

  function show() {
    if (!box.classList.contains("docked")) return;
    const told = words(clock.time);
    if (time.textContent !== told) time.textContent = told;
    if (play.dataset.plays === String(clock.playing)) return;
    play.dataset.plays = clock.playing;
    play.replaceChildren(icon(clock.playing ? "pause" : "play"));
  }

  function fill() {
    pieces.replaceChildren(...slots().map((take) => {
      const one = make("button", { type: "button", class: "small", onclick: () => hear(take.id),
        "aria-pressed": String(take.id === store.heard) }, take.name);
      one.setAttribute("aria-label", `Switch to ${titleOf(take)}`);
      return one;
    }));
    pieces.hidden = pieces.children.length < 2;
  }

  new IntersectionObserver(([seen]) => {
    const place = seen.boundingClientRect; // of a page that is not shown there is none
    const out = place.height > 0 && seen.intersectionRatio < SEEN;
    settle({ out, away: out && state.away });
  }, { rootMargin: "-52px 0px 0px", threshold: [0, SEEN, 1] }).observe(frame);
  clock.on(show);
  store.on("takes heard film", fill);
}
