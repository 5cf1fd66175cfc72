// What all lanes of the time line share: a stage as wide as the scale, a note beside it, drawing
// once a frame; and small tools for the elements in it.

import { make } from "./dom.js";
import { draft } from "./draft.js";
import { scale } from "./scale.js";
import { store } from "./store.js";

/** Give `parent` a child for each item: those that are there are used again. */
export function children(parent, items, create, update) {
  while (parent.children.length > items.length) parent.lastElementChild.remove();
  while (parent.children.length < items.length) parent.append(create());
  items.forEach((item, i) => update(parent.children[i], item, i));
}

/** Set attributes of an element, where they are others; null removes one. */
export function mark(element, facts) {
  for (const [name, value] of Object.entries(facts)) {
    if (value === null) element.removeAttribute(name);
    else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
  }
}

/** Put an element at pixels of its lane; without `width` it keeps its own. */
export function place(element, x, width) {
  element.style.transform = `translateX(${Math.round(x * 2) / 2}px)`;
  if (width !== undefined) element.style.width = `${Math.max(0, Math.round(width * 2) / 2)}px`;
}

export class Lane extends HTMLElement {
  /** What a lane is called, and of what of the store it is made. */
  static title = "";
  static shows = "document";

  connectedCallback() {
    if (this.stage) return;
    const { title, shows } = this.constructor;
    this.note = make("p", { class: "lane-note" });
    this.tools = make("div", { class: "lane-tools" });
    this.previousElementSibling?.append(this.note, this.tools);
    this.stage = make("div", { class: "lane-stage", role: "group", "aria-label": title });
    this.append(this.stage);
    this.build();
    store.on(shows, () => this.soon());
    scale.on(() => this.soon());
    draft.on(() => this.soon());
  }

  build() {}

  /** Draw with the next frame. */
  soon() {
    this.asked ||= requestAnimationFrame(() => {
      this.asked = 0;
      this.draw();
    });
  }

  /** Return the place on the page of a moment in this lane, for `tell`. */
  placeOf(time) {
    const { left, top, bottom } = this.stage.getBoundingClientRect();
    return { left: left + scale.x(time), width: 0, top, bottom };
  }

  /** Return the pixel of the stage that an event is at. */
  x(event) {
    return event.clientX - this.stage.getBoundingClientRect().left;
  }
}

// --- what is said of something at the pointer or the focus ---

let bubble = null;

/** Show a bubble above `place` (of getBoundingClientRect), with nodes or texts; null hides it. */
export function tell(place, ...content) {
  bubble ??= document.body.appendChild(make("div", { class: "bubble", "aria-hidden": "true",
    onpointerdown: (event) => event.preventDefault() })); // what has the focus keeps it
  bubble.classList.toggle("shown", place !== null);
  if (!place) return;
  // what is there already stays: a picture would blink
  const fresh = content.length !== bubble.childNodes.length
    || content.some((node, i) => node !== bubble.childNodes[i]);
  if (fresh) bubble.replaceChildren(...content);
  const { offsetWidth: width, offsetHeight: height } = bubble;
  const middle = Math.min(Math.max(0, place.left + place.width / 2), innerWidth);
  const left = Math.min(Math.max(8, middle - width / 2), innerWidth - width - 8);
  const top = place.top - height - 8 >= 0 ? place.top - height - 8 : place.bottom + 8;
  bubble.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
}
