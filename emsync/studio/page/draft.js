// What a person is changing just now: all lanes show it at once, and the server is told when the
// gesture has ended.

import { store } from "./store.js";

const PAUSE = 500; // milliseconds without a key, after which what keys did is told
const listeners = new Set();
let parts = {}; // {analysis, plan} as they are shown
let waiting = null; // {what, parts} that keys have changed
let timer = 0;
let told = 0; // edits on their way,
let sent = {}; // and what they make
let film = null; // the id of the film that is changed

function show(changed) {
  parts = changed;
  for (const act of listeners) act();
}

export const draft = {
  /** The analysis as it is shown; null where there is none. */
  get analysis() {
    return parts.analysis ?? store.document?.analysis ?? null;
  },

  /** The plan as it is shown. */
  get plan() {
    return parts.plan ?? store.document?.plan ?? null;
  },

  /** The plan that is on its way to the server, or null. */
  get wanted() {
    return sent.plan ?? null;
  },

  /** Call `act` whenever what is shown changes. */
  on(act) {
    listeners.add(act);
  },

  /** Show a change that is not made yet. */
  show: (changed) => show({ ...parts, ...changed }),

  /** Make a change. Resolves when the server has answered. */
  keep(what, changed) {
    draft.flush();
    return tell(what, changed);
  },

  /** Make a change once the keys rest. */
  keepSoon(what, changed) {
    draft.show(changed);
    waiting = { what, changed: { ...waiting?.changed, ...changed } };
    clearTimeout(timer);
    timer = setTimeout(draft.flush, PAUSE);
  },

  /** Make now what waits. */
  flush() {
    clearTimeout(timer);
    const last = waiting;
    waiting = null;
    if (last) tell(last.what, last.changed);
  },

  /** Show again what holds. */
  drop() {
    clearTimeout(timer);
    waiting = null;
    show(sent);
  },
};

async function tell(what, changed) {
  const { analysis, plan } = changed;
  told += 1;
  sent = { ...sent, ...(analysis && { analysis }), ...(plan && { plan }) };
  show(sent);
  try {
    await store.edit(what, changed);
  } finally {
    told -= 1;
  }
  if (told) return;
  sent = {};
  if (!waiting) show(sent);
}

store.on("film", () => {
  if (store.film?.id === film) return;
  film = store.film?.id;
  sent = {};
  draft.drop();
});

// an undo, or leaving the page, comes after what keys did
addEventListener("keydown", (event) => (event.ctrlKey || event.metaKey) && draft.flush(), true);
addEventListener("pointerdown", draft.flush, true);
addEventListener("pagehide", draft.flush);
