// Puts the page together: what is shown of it, and the keys that work everywhere.

import "./compose.js";
import "./desk.js";
import "./drop.js";
import "./films.js";
import "./header.js";
import "./listening.js";
import "./messages.js";
import "./timeline.js";
import "./watching.js";
import "./wishes.js";
import { enter } from "./api.js";
import { openHelp } from "./help.js";
import { attempt, sentence, store } from "./store.js";

const main = document.getElementById("studio");

/** Show what is for a screen: loading, empty, uploading, watching, ready or failed. */
function show(screen) {
  if (main.dataset.screen === screen) return;
  main.dataset.screen = screen;
  for (const part of document.querySelectorAll("[data-for]")) {
    part.hidden = !part.dataset.for.split(" ").includes(screen);
  }
  scrollTo(0, 0);
}

store.on("film document health upload", () => {
  const { film, health, upload } = store;
  if (!health) show("loading");
  else if (upload) show("uploading");
  else if (!film) show("empty");
  else if (film.state === "ready") show("ready");
  else show(film.state === "failed" ? "failed" : "watching");
  document.getElementById("film").textContent = film?.name ?? "";
  document.title = film ? `${film.name} – emsync studio` : "emsync studio";
});

// what another window did meanwhile is shown as soon as this one is looked at
document.addEventListener("visibilitychange", look);
addEventListener("focus", look);
function look() {
  if (document.hidden || store.film?.state !== "ready" || store.saving) return;
  attempt(store.reload);
}

addEventListener("keydown", (event) => {
  const writes = event.target.closest?.("input, textarea, select, dialog");
  const control = event.ctrlKey || event.metaKey;
  const key = event.key.toLowerCase();
  const text = writes?.matches("textarea, input:not([type=range], [type=checkbox])");
  if (control && (key === "z" || key === "y") && store.document && !text) {
    event.preventDefault();
    const again = key === "y" || event.shiftKey;
    if (again ? store.document.can_redo : store.document.can_undo) {
      if (again) store.redo();
      else store.undo();
    }
  } else if (control && key === "enter" && main.dataset.screen === "ready") {
    document.activeElement.blur(); // what is being written is wished, too
    document.querySelector("em-compose .primary").click();
  } else if (event.key === "?" && !writes) openHelp();
});

// another address of the studio is opened in this window: one with a new key, or another film
addEventListener("hashchange", () => {
  if (/[#&](k|film)=/.test(location.hash)) location.reload();
});

try {
  const health = await enter();
  const asked = new URLSearchParams(location.hash.slice(1)).get("film");
  if (asked) await attempt(() => store.open(asked));
  store.set({ health });
  for (const note of health.notes) store.say(sentence(note));
} catch (error) {
  document.querySelector("main .opening").textContent = sentence(error.message);
}
