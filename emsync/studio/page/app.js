// Puts the page together.

import { enter } from "./api.js";
import { attempt, store } from "./store.js";

await attempt(async () => {
  store.set({ health: await enter() });
  await store.open(new URLSearchParams(location.hash.slice(1)).get("film"));
});
