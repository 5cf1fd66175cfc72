// How sizes, lengths, numbers and the names of music are said.

/** Bytes, as people say them: "3.7 MB", each unit 1024 of the one before. */
export function size(bytes) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let power = 0;
  let value = bytes;
  for (; value >= 1024 && power < units.length - 1; power += 1) value /= 1024;
  const digits = power && value < 10 ? 1 : 0;
  return `${Number(value.toFixed(digits))} ${units[power]}`;
}

/** "1 piece", "3 pieces", "no pieces". */
export function count(number, thing) {
  return `${number || "no"} ${thing}${number === 1 ? "" : "s"}`;
}

/** Seconds as m:ss, hours before them where there are any. */
export function length(seconds) {
  const whole = Math.round(seconds);
  const two = (value) => String(value).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const rest = two(whole % 60);
  return hours ? `${hours}:${two(minutes)}:${rest}` : `${minutes}:${rest}`;
}

/** A word as it begins a sentence. */
export function capital(word) {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

const TONES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];

/** The name of a MIDI pitch; middle C is C4. */
export function pitchName(pitch) {
  return `${TONES[pitch % 12]}${Math.floor(pitch / 12) - 1}`;
}

/** A name with # and b as it is printed. */
export function printed(name) {
  return name.replaceAll("#", "♯").replace(/^([A-G])b/, "$1♭").replace(/\/([A-G])b/, "/$1♭");
}

/** "B" as "B major", "Bm" as "B minor". */
export function keyWords(key) {
  const minor = /^[A-G][#b]?m$/.test(key);
  const plain = /^[A-G][#b]?$/.test(key);
  if (minor) return `${printed(key.slice(0, -1))} minor`;
  return plain ? `${printed(key)} major` : printed(key);
}
