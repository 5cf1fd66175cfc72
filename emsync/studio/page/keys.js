// Keys that work everywhere on the page but where something is written.

import { store } from "./store.js";

const WRITTEN = "textarea, select, [contenteditable], input:not([type=range], [type=checkbox])";
const PRESSED = "button, a, summary, input, [role=slider], [role=application], [tabindex]";

let tabbed = false; // whether keys have brought the focus to where it is
let taken = null; // the key that was pressed last, where it was none of the focus
addEventListener("pointerdown", () => { tabbed = false; }, true);
addEventListener("keydown", (event) => { tabbed ||= event.key === "Tab"; }, true);
addEventListener("keyup", (event) => { // buttons are pressed by Space when it comes up
  if (event.key === taken) event.preventDefault();
  taken = null;
}, true);

/**
 * Call `acts[key]` when a key is pressed; one that answers false leaves the key to others. What
 * keys have brought the focus to keeps those that move or press it.
 */
export function onKeys(acts) {
  document.addEventListener("keydown", (event) => {
    const act = acts[event.key] ?? acts[event.key.toLowerCase()];
    if (!act || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!store.film || document.querySelector("dialog[open]")) return;
    if (event.target.closest(WRITTEN)) return;
    const presses = event.key === " "; // what was clicked does not keep it, or Space would not play
    const moves = /^(Enter|Home|End|Arrow.*)$/.test(event.key);
    const own = presses ? tabbed : moves && event.target.matches(":focus-visible");
    if (own && event.target.closest(PRESSED)) return;
    if (act(event) === false) return;
    event.preventDefault();
    taken = event.key;
  });
}
