// Dialogs in front of the page, and menus below a button.

import { button, make } from "./dom.js";

/** Ask whether to do something; resolves to whether `yes` was pressed. */
export function confirmed(title, words, yes, { danger = false } = {}) {
  return new Promise((resolve) => {
    const heading = make("h2", { id: "confirm-title" }, title);
    const dialog = make("dialog", { class: "confirm", "aria-labelledby": "confirm-title" },
      heading,
      make("p", {}, words),
      make("div", { class: "actions" },
        button("Cancel", () => dialog.close("")),
        button(yes, () => dialog.close("yes"), { kind: danger ? "danger" : "primary" })));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Let `opener` open a menu of what `items()` resolves to: [{words, more?, act, current?}]. */
export function menuOf(opener, items) {
  const menu = make("div", { class: "menu", role: "menu", hidden: true });
  opener.setAttribute("aria-haspopup", "menu");
  opener.setAttribute("aria-expanded", "false");
  opener.after(menu);

  const close = (back = false) => {
    menu.hidden = true;
    opener.setAttribute("aria-expanded", "false");
    if (back) opener.focus();
  };
  opener.addEventListener("click", async () => {
    if (!menu.hidden) return close();
    const rows = await items();
    menu.replaceChildren(...rows.map(({ words, more, act, current }) => {
      const row = make("button", { type: "button", role: "menuitem", onclick: () => {
        close(true);
        act();
      } }, make("span", { class: "words" }, words));
      if (more) row.append(make("span", { class: "more" }, more));
      if (current) row.setAttribute("aria-current", "true");
      return row;
    }));
    menu.hidden = false;
    opener.setAttribute("aria-expanded", "true");
    menu.querySelector("button")?.focus();
    return undefined;
  });
  menu.addEventListener("keydown", (event) => {
    const rows = [...menu.children];
    const at = rows.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      rows.at(to % rows.length).focus();
    }
    if (event.key === "Escape") close(true);
    event.stopPropagation();
  });
  document.addEventListener("pointerdown", (event) => {
    if (!menu.hidden && !menu.contains(event.target) && !opener.contains(event.target)) close();
  });
  menu.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !menu.contains(event.relatedTarget)) close();
  });
}
