// How far a piece of work is: words, a bar, and a way to stop it.

import { button, make } from "./dom.js";
import { stageWords } from "./stages.js";
import { attempt } from "./store.js";
import { cancel } from "./work.js";

/** Return an element that shows a job, and `show(job)` that tells it of one; null hides it. */
export function progress() {
  let shown = null;
  const words = make("span", { role: "status" });
  const fill = make("div", {});
  const bar = make("div", { class: "bar", role: "progressbar", "aria-label": "Progress",
    "aria-valuemin": "0", "aria-valuemax": "100" }, fill);
  const stop = button("Cancel", () => attempt(() => cancel(shown)), { kind: "small" });
  const element = make("div", { class: "working small" }, words, stop, bar);
  element.hidden = true;
  const show = (job) => {
    shown = job;
    element.hidden = !job;
    if (!job) return;
    const { words: text, share } = stageWords(job);
    words.textContent = text;
    bar.classList.toggle("unknown", share === null);
    fill.style.width = share === null ? "" : `${100 * share}%`;
    if (share === null) bar.removeAttribute("aria-valuenow");
    else bar.setAttribute("aria-valuenow", String(Math.round(100 * share)));
  };
  return { element, show };
}
