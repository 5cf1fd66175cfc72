// The line at the top: the film and other films, undo and redo, what is saved, colours, help.

import { ask } from "./api.js";
import { confirmed, menuOf } from "./dialog.js";
import { button, icon, make, show } from "./dom.js";
import { openHelp } from "./help.js";
import { attempt, store } from "./store.js";
import { length } from "./words.js";

const THEMES = { system: "Colours as the system has them", dark: "Dark", light: "Light" };
const MOST = 12; // films in the menu

class Header extends HTMLElement {
  connectedCallback() {
    this.setAttribute("role", "banner");
    this.name = make("span", { class: "words" });
    this.film = make("button", { type: "button", class: "quiet film" }, this.name, icon("down"));
    this.undo = button("Undo", () => store.undo(), { icon: "undo", kind: "quiet" });
    this.redo = button("Redo", () => store.redo(), { icon: "redo", kind: "quiet" });
    this.saved = make("span", { class: "saved faint small", role: "status" });
    this.theme = button("Colours", () => {}, { icon: "system", kind: "quiet" });
    this.steps = make("div", { class: "group" }, this.undo, this.redo);

    const mark = make("img", { src: "icon.svg", alt: "", width: "24", height: "24" });
    const home = make("button", { type: "button", class: "quiet brand", onclick: () => leave() },
      mark, make("span", {}, "emsync"));
    home.setAttribute("aria-label", "emsync studio: all films");
    const films = make("div", { class: "holder" }, this.film);
    const themes = make("div", { class: "holder" }, this.theme);
    const help = button("Help", openHelp, { icon: "help", kind: "quiet" });
    help.title = "Help (?)";
    this.append(home, films, this.saved, this.steps, themes, help);

    menuOf(this.film, filmRows);
    menuOf(this.theme, async () => Object.entries(THEMES).map(([name, words]) => ({
      words,
      current: globalThis.theme.choice === name,
      act: () => globalThis.theme.choose(name),
    })));
    addEventListener("theme", () => this.showTheme());
    this.showTheme();
    store.on("film document saving away", () => this.show());
  }

  show() {
    const { film, document: now, saving, away } = store;
    show(this.film, film);
    show(this.steps, now);
    show(this.saved, now);
    this.name.textContent = film?.name ?? "";
    if (!now) return;
    const at = now.versions.findIndex(({ number }) => number === now.version);
    name(this.undo, "Undo", now.can_undo, now.what, "Ctrl+Z");
    name(this.redo, "Redo", now.can_redo, now.versions[at + 1]?.what, "Ctrl+Shift+Z");
    this.saved.textContent = saving ? "Saving …" : away ? "Not saved" : "Saved";
    this.saved.classList.toggle("danger-ink", away && !saving);
  }

  showTheme() {
    const { choice } = globalThis.theme;
    this.theme.replaceChildren(icon(choice));
    this.theme.title = `Colours: ${choice}`;
    this.theme.setAttribute("aria-label", this.theme.title);
  }
}

function name(step, words, possible, what, keys) {
  const told = possible && what ? `${words}: ${what}` : words;
  step.disabled = !possible;
  step.title = `${told} (${keys})`;
  step.setAttribute("aria-label", told);
}

async function filmRows() {
  const films = (await attempt(() => ask("GET", "/api/films"))) ?? [];
  const others = films.slice(0, MOST).map(({ id, name: words, duration }) => ({
    words,
    more: duration ? length(duration) : "",
    current: id === store.film?.id,
    act: () => attempt(() => store.open(id)),
  }));
  return [...others, { words: "All films, and new ones …", act: leave }];
}

/** Go to all films; an upload that runs is asked about first. */
async function leave() {
  if (store.upload) {
    const words = `“${store.upload.name}” has not arrived whole.`;
    const yes = await confirmed("Stop the upload?", words, "Stop it");
    if (!yes) return;
    store.upload?.stop();
  }
  attempt(() => store.open(null));
}

customElements.define("em-header", Header);
