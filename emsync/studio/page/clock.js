// The playhead. The player moves it; lanes and the roll follow it, and ask for a place.

const listeners = new Set();

export const clock = {
  time: 0, // seconds of the film
  duration: 0,
  playing: false,
  onSeek: () => {}, // the player's
  onToggle: () => {}, // the player's

  /** Call `act` whenever the playhead moves, or play begins or ends, and once now. */
  on(act) {
    listeners.add(act);
    act();
    return () => listeners.delete(act);
  },

  /** Tell that the playhead is at `time`. */
  tell(parts) {
    Object.assign(clock, parts);
    for (const act of listeners) act();
  },

  /** Go to a moment. */
  seek(time) {
    const at = Math.min(Math.max(0, time), clock.duration);
    clock.onSeek(at);
    clock.tell({ time: at });
  },

  /** Play, or pause. */
  toggle() {
    clock.onToggle();
  },
};

/** Return seconds as m:ss.t */
export function words(seconds, digits = 1) {
  const tenths = 10 ** digits;
  const whole = Math.round(seconds * tenths) / tenths;
  const minutes = Math.floor(whole / 60);
  const rest = (whole - 60 * minutes).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  return `${minutes}:${rest}`;
}
