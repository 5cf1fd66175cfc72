// The one state of the page. Parts of it change by its functions only, and whoever shows a part
// listens: store.on("document", fn). Names: film, strip, seen, document, takes, job, heard, range,
// section, saving, upload, say.

import { ask, AWAY, listen, Refusal } from "./api.js";

const ENDED = "The studio was ended while it worked; what was made before is still here.";
const listeners = new Map();
let stop = null; // what ends listening to the job that is watched
let line = Promise.resolve(); // edits, and looks at the film, go one after the other
let opening = 0; // counts films that were asked for: the last one counts

export const store = {
  health: null, // what the server told once: limits, palettes, emotions, …
  film: null, // facts of the open film, or null
  strip: [], // its pictures: {time, url}
  seen: null, // the analysis as the film was first seen
  document: null, // {version, analysis, plan, plan_is, wishes, take, can_undo, …}
  takes: [], // summaries, oldest first
  job: null, // the last job of the film, which may have ended
  heard: null, // the id of the take that plays
  range: null, // a stretch that is marked: {from, to} in seconds
  section: null, // the number of the section that is edited
  saving: 0, // how many changes are on their way
  away: false, // the last change did not reach the studio
  upload: null, // {name, share, stop} of the film that is on its way

  /** Call `act` whenever one of `names` (a word, or words) changes, and once now. */
  on(names, act) {
    for (const name of names.split(" ")) {
      if (!listeners.has(name)) listeners.set(name, new Set());
      listeners.get(name).add(act);
    }
    act();
  },

  /** Set parts of the state, and tell whoever listens, each once. */
  set(parts) {
    Object.assign(store, parts);
    const told = new Set();
    for (const name of Object.keys(parts)) {
      for (const act of listeners.get(name) ?? []) told.add(act);
    }
    for (const act of told) act();
  },

  /**
   * Show a sentence; `kind` is "note" or "error", which goes by itself if it is `about` an edit.
   * Whoever shows it where it belongs sets `shown` of what is told.
   */
  say(sentence, kind = "note", about = "") {
    const told = { sentence, kind, about, shown: false };
    for (const act of listeners.get("say") ?? []) act(told);
  },

  /** Open a film by its id, or none. */
  async open(id) {
    const mine = opening += 1;
    const told = id ? await inLine(() => ask("GET", `/api/films/${encodeURIComponent(id)}`)) : null;
    if (mine !== opening) return; // another was asked for meanwhile
    stop?.();
    stop = null;
    if (!told) {
      history.replaceState(null, "", location.pathname);
      store.set({ film: null, strip: [], seen: null, document: null, takes: [], job: null,
        heard: null, range: null, section: null });
      return;
    }
    history.replaceState(null, "", `#film=${id}`);
    const kept = told.document?.take;
    const heard = told.takes.some((take) => take.id === kept) ? kept : bestOf(told.takes)?.id;
    const { film, strip, seen, document, takes, jobs } = told;
    store.set({ film, strip, seen, document, takes, heard: heard ?? null, range: null,
      section: null, job: jobs[0] ?? null });
    for (const note of told.notes) store.say(sentence(note));
    if (jobs[0]) store.watch(jobs[0]);
    else if (film.state === "watching") { // its job ended just now
      setTimeout(() => mine === opening && attempt(() => store.open(id)), 500);
    }
  },

  /** Read the film again, and keep what is heard and marked; resolves to its jobs. */
  reload() {
    const id = store.film?.id;
    return inLine(async () => {
      if (!id || store.film?.id !== id) return [];
      const told = await ask("GET", `/api/films/${id}`);
      if (store.film?.id !== id) return [];
      const { film, strip, seen, document, takes, jobs } = told;
      const heard = takes.some((take) => take.id === store.heard) ? store.heard : takes.at(-1)?.id;
      store.set({ film, strip, seen, document, takes, heard: heard ?? null });
      return jobs;
    });
  },

  /** Follow a job to its end. */
  watch(job) {
    stop?.();
    const film = store.film.id;
    store.set({ job });
    const mine = (act) => (value) => {
      if (store.film?.id === film) act(value);
    };
    stop = listen(job.id, {
      job: mine((now) => store.set({ job: now })),
      strip: mine((picture) => {
        if (store.strip.some((one) => one.url === picture.url)) return;
        store.set({ strip: [...store.strip, picture] });
      }),
      film: mine(() => attempt(store.reload)),
      picture: mine(() => attempt(store.reload)),
      candidate: mine((take) => {
        if (store.takes.some((one) => one.id === take.id)) return;
        store.set({ takes: [...store.takes, take] });
        if (store.takes.length === 1) store.set({ heard: take.id });
      }),
      end: mine((now) => {
        store.set({ job: now });
        for (const note of now.notes) store.say(note);
        if (now.state === "failed" && now.kind !== "watch") {
          store.say(sentence(now.reason), "error"); // of a film that failed, the page itself tells
        }
        attempt(async () => {
          const [next] = await store.reload();
          if (next) store.watch(next);
        });
      }),
    }, mine((forGood) => {
      if (!forGood) return store.say(AWAY, "error"); // the browser asks again
      store.say(ENDED, "error");
      store.set({ job: { ...store.job, state: "failed", reason: ENDED } });
      return attempt(store.reload);
    }));
  },

  /** Ask for work: {kind: "compose"} and so on. Resolves to the job. */
  async submit(wanted) {
    const { id } = store.film;
    const { job } = await inLine(() => ask("POST", `/api/films/${id}/jobs`, wanted));
    if (store.film?.id === id) store.watch(job);
    return job;
  },

  /**
   * Change the document: any of {analysis, plan, wishes, take}; `what` was done, in few words.
   * `parts` may be a function of the document, which is called once the edits before are done.
   * Resolves to the status of the answer: 200, or why it was refused.
   */
  edit(what, parts) {
    const made = typeof parts === "function" ? parts : () => parts;
    return change("PUT", "document", () => ({ what, ...made(store.document) }));
  },

  undo: () => change("POST", "undo"),
  redo: () => change("POST", "redo"),
  planAnew: () => change("POST", "plan"),
  goTo: (number) => change("POST", `versions/${number}`),
};

/** The highest of the takes that were made last, or null. */
export function bestOf(takes) {
  const last = takes.filter((take) => take.run === takes.at(-1).run);
  return last.reduce((best, take) => (take.score > (best?.score ?? -1) ? take : best), null);
}

/** Do what may be refused, and say so. */
export async function attempt(act) {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    store.say(sentence(error.message), "error");
    return undefined;
  }
}

/** Begin a sentence of the library as sentences begin; where it is in the document is not said. */
export function sentence(text) {
  const plain = text.replace(/^the (plan|analysis|wishes): [a-z_]+(\[\d+\])?(\.[a-z_]+)?: /i, "");
  const words = plain.charAt(0).toUpperCase() + plain.slice(1);
  return /[.?!]$/.test(words) ? words : `${words}.`;
}

/** Do something once what was begun before is done, whether that went well or not. */
function inLine(act) {
  const done = line.then(act);
  line = done.catch(() => {});
  return done;
}

function change(method, path, body = () => ({})) {
  const { id } = store.film;
  store.set({ saving: store.saving + 1 });
  return inLine(async () => {
    if (store.film?.id !== id) return null;
    const show = (parts) => store.film?.id === id && store.set(parts);
    const sent = { version: store.document.version, ...body() };
    try {
      const told = await ask(method, `/api/films/${id}/${path}`, sent);
      show({ document: told.document, away: false });
      for (const note of told.notes) store.say(note);
      return 200;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      // show what holds: what was tried is not there
      show({ document: error.facts.document ?? { ...store.document }, away: !error.status });
      const lost = error.status === 409 && sent.what ? `; not taken: ${sent.what}` : "";
      store.say(sentence(error.message + lost), "error", "edit");
      return error.status;
    }
  }).finally(() => store.set({ saving: store.saving - 1 }));
}
