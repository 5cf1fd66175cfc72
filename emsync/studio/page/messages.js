// What the studio has to say: notes go by themselves, errors stay until they are put away.

import { button, make, show } from "./dom.js";
import { sentence as begun, store } from "./store.js";

const SECONDS = 8; // that a note stays
const MOST = 3; // of a kind, at once

class Messages extends HTMLElement {
  connectedCallback() {
    this.errors = make("div", { role: "alert" });
    this.notes = make("div", { role: "status" });
    this.append(this.errors, this.notes);
    store.on("film document", () => this.mended());
    store.on("say", (message) => {
      if (!message) return; // there is none at first
      queueMicrotask(() => message.shown || this.say(message));
    });
  }

  /** Put away what was said of edits, once one is made, and of a film, once it is another. */
  mended() {
    const { film, document: now } = store;
    const other = film?.id !== this.film;
    const edited = now?.version !== this.version;
    Object.assign(this, { film: film?.id, version: now?.version });
    for (const toast of this.querySelectorAll(".toast.error")) {
      if (other || (edited && toast.dataset.about === "edit")) toast.remove();
    }
  }

  say({ sentence: told, kind, about }) {
    const sentence = begun(told);
    const place = kind === "error" ? this.errors : this.notes;
    [...place.children].find((one) => one.dataset.said === sentence)?.remove();
    const text = make("p", {}, sentence);
    const more = button("More", () => {
      const open = toast.classList.toggle("open");
      more.textContent = open ? "Less" : "More";
      more.setAttribute("aria-expanded", open);
    }, { kind: "link small" });
    const toast = make("div", { class: `toast ${kind}` }, text, more,
      button("Dismiss", () => toast.remove(), { icon: "close", kind: "quiet small" }));
    Object.assign(toast.dataset, { said: sentence, about });
    place.append(toast);
    show(more, text.scrollWidth > text.clientWidth);
    while (place.children.length > MOST) place.firstElementChild.remove();
    if (kind !== "error") leaveAfter(toast, SECONDS);
  }
}

/** Put a toast away after some seconds in which nobody is at it. */
function leaveAfter(toast, seconds) {
  let left = seconds;
  const timer = setInterval(() => {
    const busy = toast.matches(":hover, :focus-within") || toast.classList.contains("open");
    if (!busy) left -= 1;
    if (left > 0 && toast.isConnected) return;
    clearInterval(timer);
    toast.remove();
  }, 1000);
}

customElements.define("em-messages", Messages);
