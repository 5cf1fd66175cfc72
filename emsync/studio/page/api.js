// The server, as promises: what it refuses is thrown as a Refusal with its sentence.

export class Refusal extends Error {
  constructor(status, sentence, facts = {}) {
    super(sentence);
    this.status = status;
    this.facts = facts;
  }
}

export const AWAY = "The studio does not answer. If it was ended, start it again, "
  + "and open the address that it prints.";
let token = "";

/** Turn the key of the printed address into a cookie; resolves to what the page knows once. */
export async function enter() {
  const asked = new URLSearchParams(location.hash.slice(1));
  if (asked.has("k")) {
    ({ token } = await ask("POST", "/api/key", { key: asked.get("k") }));
    const film = asked.get("film");
    history.replaceState(null, "", film ? `#film=${film}` : location.pathname);
  }
  const health = await ask("GET", "/api/health");
  token = health.token;
  return health;
}

/** Ask the server; resolves to its JSON. */
export async function ask(method, path, body) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: { "content-type": "application/json", "x-emsync": token },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Refusal(0, AWAY);
  }
  return read(answer.status, await answer.text());
}

/** Send a file as it is; `progress` is told the share that has arrived. Has `.abort()`. */
export function upload(file, progress) {
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    request.upload.onprogress = (event) => progress(event.loaded / Math.max(1, file.size));
    request.onerror = () => reject(new Refusal(0, AWAY));
    request.onabort = () => reject(new Refusal(0, "Cancelled."));
    request.onload = () => {
      try {
        resolve(read(request.status, request.responseText));
      } catch (error) {
        reject(error);
      }
    };
  });
  request.open("POST", "/api/films");
  request.setRequestHeader("x-emsync", token);
  request.setRequestHeader("x-name", encodeURIComponent(file.name));
  request.send(file);
  return Object.assign(done, { abort: () => request.abort() });
}

/**
 * Listen to a job until it has ended; `handlers` by the names of events. `away` is called when the
 * studio does not answer, with whether that is for good. Returns what stops it.
 */
export function listen(job, handlers, away) {
  const source = new EventSource(`/api/jobs/${job}/events`);
  for (const [name, act] of Object.entries(handlers)) {
    source.addEventListener(name, (event) => {
      if (name === "end") source.close();
      act(JSON.parse(event.data));
    });
  }
  source.onerror = () => away(source.readyState === EventSource.CLOSED);
  return () => source.close();
}

function read(status, text) {
  let value = {};
  try {
    value = text ? JSON.parse(text) : {};
  } catch {
    throw new Refusal(status, `The studio answered ${status}, and nothing that can be read.`);
  }
  if (status >= 400 || !status) {
    const { error = `The studio answered ${status}.`, ...facts } = value;
    throw new Refusal(status, error, facts);
  }
  return value;
}
