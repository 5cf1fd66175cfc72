// Sets the colours before the first paint: data-theme of the page is "dark" or "light", as the
// system has it or as was chosen. Canvases listen to "theme" on the window, and draw again.

globalThis.theme = {
  /** What was chosen: "system", "dark" or "light". */
  get choice() {
    return localStorage.getItem("emsync-theme") ?? "system";
  },

  choose(choice) {
    localStorage.setItem("emsync-theme", choice);
    globalThis.theme.apply();
  },

  apply() {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const { choice } = globalThis.theme;
    document.documentElement.dataset.theme =
      choice === "system" ? (dark ? "dark" : "light") : choice;
    dispatchEvent(new Event("theme"));
  },
};

globalThis.theme.apply();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", globalThis.theme.apply);
