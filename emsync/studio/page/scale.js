// Seconds and pixels of all lanes: one scale, so that what is above each other is at one moment.

const listeners = new Set();

export const scale = {
  from: 0, // the first second that is shown
  to: 1, // the last
  whole: 1, // seconds of the film
  width: 1, // pixels of a lane

  /** Call `act` whenever the scale changes, and once now. */
  on(act) {
    listeners.add(act);
    act();
    return () => listeners.delete(act);
  },

  /** Show all of a film of so many seconds. */
  fit(seconds) {
    scale.set({ whole: seconds, from: 0, to: seconds });
  },

  set(parts) {
    Object.assign(scale, parts);
    for (const act of listeners) act();
  },

  /** Return the pixel of a moment, from the left edge of a lane. */
  x: (time) => ((time - scale.from) / (scale.to - scale.from)) * scale.width,

  /** Return the moment at a pixel. */
  time: (x) => scale.from + (x / scale.width) * (scale.to - scale.from),

  /** Show `factor` times less around a moment. */
  zoom(factor, around) {
    const span = Math.min(scale.whole, Math.max(1, (scale.to - scale.from) / factor));
    const share = (around - scale.from) / (scale.to - scale.from);
    scale.show(around - share * span, span);
  },

  /** Show `span` seconds from `from`, within the film. */
  show(from, span = scale.to - scale.from) {
    const begin = Math.min(Math.max(0, from), scale.whole - span);
    scale.set({ from: begin, to: begin + span });
  },
};
