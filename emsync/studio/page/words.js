// How sizes, lengths and numbers are said.

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

/** A name of music, with the signs that musicians write: "Db" is D♭. */
export function signs(name) {
  return name.replace(/^([A-G])b/, "$1♭").replace(/^([A-G])#/, "$1♯");
}

/** A word as it begins a sentence. */
export function capital(word) {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
