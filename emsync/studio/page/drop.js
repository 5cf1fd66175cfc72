// Where films come in: dropped anywhere in the window, chosen, or drawn as the demonstration is.

import { ask, upload } from "./api.js";
import { button, icon, make, say, show } from "./dom.js";
import { attempt, store } from "./store.js";
import { size } from "./words.js";

const KINDS = /\.(mp4|m4v|mov|qt|mkv|webm|avi|mpe?g|m?ts|m2ts|wmv|flv|ogv|3gp|3g2|mxf|vob|gif)$/i;

class Drop extends HTMLElement {
  connectedCallback() {
    this.input = make("input", { type: "file", accept: "video/*,.mkv,.mov,.avi,.mts,.mxf",
      class: "only-heard", tabIndex: -1, "aria-label": "Film", onchange: () => {
        take([...this.input.files]);
        this.input.value = "";
      } });
    const choose = button("Choose a film …", () => this.input.click(), { kind: "primary large" });
    const demo = button("try the drawn clip", tryDemo, { kind: "link" });
    this.accepted = make("p", { class: "faint small" });
    this.idle = make("div", { class: "zone idle" },
      icon("drop"),
      make("h1", {}, "Drop a film here"),
      make("p", { class: "lead faint" },
        "emsync sees its cuts and what it feels like, and composes music for it."),
      make("p", {}, choose),
      make("p", { class: "faint" }, "or ", demo),
      this.accepted,
      this.input);

    this.words = make("h1", {});
    this.told = make("p", { class: "faint", role: "status" });
    this.fill = make("div", {});
    this.busy = make("div", { class: "zone busy" },
      this.words,
      make("div", { class: "bar" }, this.fill),
      this.told,
      button("Cancel", () => store.upload?.stop()));
    this.append(this.idle, this.busy);
    veil();
    store.on("upload health", () => this.show());
  }

  show() {
    const { upload: now, health } = store;
    show(this.idle, !now);
    show(this.busy, now);
    if (health) {
      const { upload: bytes, seconds } = health.limits;
      this.accepted.textContent = `MP4, MOV, MKV, WebM, AVI and what else FFmpeg reads; up to `
        + `${size(bytes)} and ${Math.round(seconds / 60)} minutes. `
        + "Everything stays on this machine.";
    }
    if (now) {
      this.words.textContent = `Taking in ${now.name}`;
      this.fill.style.width = `${100 * now.share}%`;
      this.told.textContent = now.share < 1
        ? `${size(now.share * now.bytes)} of ${size(now.bytes)}` : "Opening it …";
    }
  }
}

/** Take in the first of some files; whatever speaks against it is said. */
function take(files) {
  if (!store.health) {
    store.say("The studio is not open yet; drop the film again in a moment.", "error");
    return;
  }
  if (store.upload) {
    store.say("A film is on its way already; wait for it, or cancel it.", "error");
    return;
  }
  const file = files.find(({ name, type }) => type.startsWith("video/") || KINDS.test(name))
    ?? files[0];
  const reason = refusal(file);
  if (reason) {
    store.say(reason, "error");
    return;
  }
  if (files.length > 1) {
    store.say(`One film at a time: of the ${files.length} files, “${file.name}” is taken.`);
  }
  send(file);
}

/** What speaks against a file, before a byte of it is sent; or nothing. */
function refusal(file) {
  if (!file) return "There is no file in what was dropped.";
  const { upload: most, seconds } = store.health.limits;
  if (file.size > most) {
    return `“${file.name}” has ${size(file.size)}, and ${size(most)} are the most; `
      + "make a smaller copy of it.";
  }
  if (!file.size) return `“${file.name}” is empty.`;
  if (/^(text|image|audio)\//.test(file.type) || /^application\/(pdf|zip|json)/.test(file.type)) {
    return `“${file.name}” is no film; drop one of up to ${Math.round(seconds / 60)} minutes.`;
  }
  return "";
}

function send(file) {
  const going = upload(file, (share) => store.set({ upload: { ...store.upload, share } }));
  let stopped = false;
  const stop = () => {
    stopped = true;
    going.abort();
  };
  store.set({ upload: { name: file.name, bytes: file.size, share: 0, stop } });
  attempt(async () => {
    try {
      const { film } = await going;
      store.set({ upload: null });
      await store.open(film.id);
    } catch (error) {
      store.set({ upload: null });
      if (!stopped) throw error;
      store.say(`“${file.name}” was not taken in.`);
    }
  });
}

async function tryDemo() {
  await attempt(async () => {
    const { film } = await ask("POST", "/api/films/demo");
    await store.open(film.id);
  });
}

/** Let films be dropped anywhere, and say so while one is dragged over the window. */
function veil() {
  const over = make("div", { class: "veil", hidden: true },
    make("p", {}, icon("drop"), "Drop the film to open it"));
  document.body.append(over);
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  let depth = 0;
  addEventListener("dragenter", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth += 1;
    over.hidden = false;
  });
  addEventListener("dragover", (event) => {
    if (hasFiles(event)) event.preventDefault();
  });
  addEventListener("dragleave", (event) => {
    if (!hasFiles(event)) return;
    depth = Math.max(0, depth - 1);
    over.hidden = depth === 0;
  });
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth = 0;
    over.hidden = true;
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.());
    if (entries.length && entries.every((entry) => entry?.isDirectory)) {
      store.say(`“${entries[0].name}” is a folder; drop a film.`, "error");
      return;
    }
    const folders = entries.filter((entry) => entry?.isDirectory).map((entry) => entry.name);
    take([...event.dataTransfer.files].filter(({ name }) => !folders.includes(name)));
  });
}

customElements.define("em-drop", Drop);
