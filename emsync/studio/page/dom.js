// Elements in one line each. Text is always a text node.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element: attributes, `on…` for its events, then children (elements or text). */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && typeof value !== "string") element[name] = value;
    else if (value !== undefined && value !== null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** A button; what it shows is a word, or an icon with the word as its name. */
export function button(words, act, { icon: drawn, kind = "", ...more } = {}) {
  const element = make("button", { type: "button", class: kind, onclick: act, ...more });
  if (drawn) {
    element.append(icon(drawn));
    element.setAttribute("aria-label", words);
    element.title = words;
    element.classList.add("icon");
  } else element.textContent = words;
  return element;
}

const ICONS = { // strokes in a square of 16
  undo: "M6 3 3 6l3 3M3 6h6.5a3.5 3.5 0 0 1 0 7H6",
  redo: "m10 3 3 3-3 3M13 6H6.5a3.5 3.5 0 0 0 0 7H10",
  help: "M5.5 6a2.5 2.5 0 1 1 3.7 2.2c-.8.4-1.2.9-1.2 1.8M8 12.5v.1",
  close: "m4 4 8 8M12 4l-8 8",
  down: "m4 6 4 4 4-4",
  trash: "M3 4.5h10M6 4.5V3h4v1.5M4.5 4.5 5 13h6l.5-8.5M7 7v3.5M9 7v3.5",
  film: "M2.5 3.5h11v9h-11zM5.5 3.5v9M10.5 3.5v9M2.5 8h3M10.5 8h3",
  drop: "M8 2.5v7M5 7l3 3 3-3M2.5 10.5v3h11v-3",
  play: "M5 3.5v9l7-4.5z",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  check: "m3 8.5 3.5 3.5L13 4.5",
  fit: "M2.5 3.5v9M13.5 3.5v9M4.5 8h7M6.5 6l-2 2 2 2M9.5 6l2 2-2 2",
  star: "m8 2.5 1.7 3.6 3.9.5-2.9 2.7.8 3.9L8 11.3l-3.5 1.9.8-3.9-2.9-2.7 3.9-.5z",
  light: "M8 5.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6M8 1.5v1.2M8 13.3v1.2M1.5 8h1.2M13.3 8h1.2M3.4 3.4l.9.9M11.7 11.7l.9.9M3.4 12.6l.9-.9M11.7 4.3l.9-.9",
  dark: "M13 9.5A5.5 5.5 0 1 1 6.5 3a4.5 4.5 0 0 0 6.5 6.5z",
  system: "M2.5 3.5h11v7.5h-11zM6 13.5h4M8 11v2.5",
  first: "M4 3.5v9M12.5 3.5v9L6 8z",
  back: "M7.5 4 3.5 8l4 4M12.5 4l-4 4 4 4",
  forward: "m8.5 4 4 4-4 4M3.5 4l4 4-4 4",
  loop: "M5 4.5h5.5a2.5 2.5 0 0 1 2.5 2.5v.5M11 11.5H5.5A2.5 2.5 0 0 1 3 9v-.5M6.5 2.5l-2 2 2 2M9.5 9.5l2 2-2 2",
  loud: "M2.5 6.2v3.6h2.3L8.5 13V3L4.8 6.2zM11 5.5a3.5 3.5 0 0 1 0 5M12.8 3.5a6.3 6.3 0 0 1 0 9",
  silent: "M2.5 6.2v3.6h2.3L8.5 13V3L4.8 6.2zM11 6l3 4M14 6l-3 4",
  corner: "M2.5 3.5h11v9h-11zM8 8.5h3.5V11H8zM9.8 6.8V5M8.8 5.8l1-1 1 1",
  own: "M2 4.5h7.5v7H2zM4 4.5v7M2 8h2M11.5 6a3 3 0 0 1 0 4M13.2 4.5a5.5 5.5 0 0 1 0 7",
  tall: "M8 2v12M5 5l3-3 3 3M5 11l3 3 3-3",
};

/** An icon by its name: play, pause, undo, redo, help, close, down, trash, … */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("drawn");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** Let `element` say `words`; what it says already is not said again to screen readers. */
export function say(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

/** Redraw what is in `element` by `draw`; what had the focus, or is called the same, has it again. */
export function redrawn(element, draw) {
  const active = element.contains(document.activeElement) ? document.activeElement : null;
  const name = active && nameOf(active);
  draw();
  if (!active || document.activeElement === active) return;
  const all = [...element.querySelectorAll("button, a, input")];
  const next = active.isConnected ? active : all.find((one) => nameOf(one) === name) ?? all[0];
  next?.focus({ preventScroll: true });
}

function nameOf(element) {
  return element.getAttribute("aria-label") ?? element.textContent;
}

/** Show `element` or not. */
export function show(element, visible) {
  element.hidden = !visible;
}

/** The colour of a token, such as "--drums", as it is now. */
export function colour(token) {
  return getComputedStyle(document.documentElement).getPropertyValue(token).trim();
}
