// How far a piece of work is: words, a bar, and a way to stop it.

import { button, make, say } from "./dom.js";
import { stageWords } from "./stages.js";
import { attempt } from "./store.js";
import { cancel } from "./work.js";

/** Return a bar, and `show(share)` that fills it; null is a share that nobody knows. */
export function progressBar(name) {
  const fill = make("div", {});
  const element = make("div", { class: "bar", role: "progressbar", "aria-label": name,
    "aria-valuemin": "0", "aria-valuemax": "100" }, fill);
  const show = (share) => {
    element.classList.toggle("unknown", share === null);
    fill.style.width = share === null ? "" : `${100 * share}%`;
    if (share === null) element.removeAttribute("aria-valuenow");
    else element.setAttribute("aria-valuenow", String(Math.round(100 * share)));
  };
  return { element, show };
}

/** Return an element that shows a job, and `show(job)` that tells it of one; null hides it. */
export function progress(name = "Progress") {
  let shown = null;
  const words = make("span", { role: "status" });
  const bar = progressBar(name);
  const stop = button("Cancel", () => attempt(() => cancel(shown)), { kind: "small" });
  const element = make("div", { class: "working small" }, words, stop, bar.element);
  element.hidden = true;
  const show = (job) => {
    shown = job;
    element.hidden = !job;
    if (!job) return;
    const { words: text, share } = stageWords(job);
    say(words, text);
    bar.show(share);
  };
  return { element, show };
}
