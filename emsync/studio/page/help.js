// Help: the keys, and what the lanes mean.

import { button, make } from "./dom.js";

const KEYS = [
  ["Space", "Play, or pause"],
  ["1 … 8", "Hear another piece, at the same place"],
  ["← →", "Five seconds back, or on; on what is chosen: move it"],
  [", .", "One frame back, or on; with Shift ten"],
  ["O", "Play what is marked over and over"],
  ["C", "Add a cut at the playhead"],
  ["Del", "Remove the cut that is chosen; Enter lets the music hit it, or no longer"],
  ["[ ]", "Mark from here, or to here, in bars"],
  ["+ − 0", "Zoom in, out, to the whole film"],
  ["Ctrl Z", "Undo; with Shift redo"],
  ["Ctrl Enter", "Compose"],
  ["Esc", "Let go of what is chosen, marked or dragged"],
  ["?", "This help"],
];
const LANES = [
  ["Film", "Pictures of the film. Click anywhere to go there."],
  ["Cuts", "Where the picture changes. The music hits those that are solid; dashed ones were seen "
    + "and left out, mostly because a stronger one is near. Drag, add or remove them; click one "
    + "to see more."],
  ["Feeling", "How pleasant (valence) and how lively (arousal) each stretch is. Drag the steps and "
    + "their edges, or name an emotion."],
  ["Plan", "What the music will do: its sections, keys and chords, and who plays. Choose a section "
    + "to change it. Once you do, the plan is yours, and follows your wishes where they change."],
  ["Notes", "The piece that is heard. Rings are its hits on cuts. Mark a stretch there to have it "
    + "composed anew while all else stays."],
];

let dialog = null;

/** Show the help. */
export function openHelp() {
  dialog?.showModal();
}

class Help extends HTMLElement {
  connectedCallback() {
    const pairs = (rows, drawn) => make("dl", {},
      ...rows.flatMap(([name, words]) => [make("dt", {}, drawn(name)), make("dd", {}, words)]));
    dialog = make("dialog", { class: "help", "aria-labelledby": "help-title" },
      make("div", { class: "head" }, make("h2", { id: "help-title" }, "Help"),
        button("Close", () => dialog.close(), { icon: "close", kind: "quiet" })),
      make("h3", {}, "What the lanes show"),
      pairs(LANES, (name) => name),
      make("h3", {}, "Keys"),
      pairs(KEYS, keysOf));
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close();
    });
    this.append(dialog);
  }
}

/** Each key by itself. */
const keysOf = (names) =>
  make("span", { class: "keys" }, ...names.split(" ").map((name) => (
    name === "…" ? " … " : make("kbd", {}, name))));

customElements.define("em-help", Help);
