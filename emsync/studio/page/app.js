// Puts the page together: what is shown of it, and the keys that work everywhere.

import { enter } from "./api.js";
import { attempt, store } from "./store.js";

const main = document.getElementById("studio");

/** Show what is for a screen: "loading", "empty", "watching", "ready" or "failed". */
function show(screen) {
  main.dataset.screen = screen;
  for (const part of document.querySelectorAll("[data-for]")) {
    part.hidden = !part.dataset.for.split(" ").includes(screen);
  }
}

store.on("film document health", () => {
  const { film, health } = store;
  const ready = film?.state === "ready" && store.document;
  if (!health) show("loading");
  else if (!film) show("empty");
  else show(ready ? "ready" : film.state === "failed" ? "failed" : "watching");
  document.title = film ? `${film.name} – emsync studio` : "emsync studio";
});

await attempt(async () => {
  store.set({ health: await enter() });
  await store.open(new URLSearchParams(location.hash.slice(1)).get("film"));
});
