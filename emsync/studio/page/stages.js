// What a job is doing, in words that a person understands.

import { count } from "./words.js";

const STAGES = {
  "Starting": "Starting; the first time after a while takes longest",
  "Drawing the clip": "Drawing the clip",
  "Watching": "Watching the film: its cuts, its motion, its pictures",
  "Feeling": "Finding out what it feels like",
  "Compiling for this processor, once":
    "Getting ready to compose: once, the program is compiled for this processor",
  "Composing": "Composing",
  "Playing": "Playing it",
  "Writing the film": "Writing the film with its music",
};
const KINDS = { stems: "Playing each instrument alone", file: "Making the file" };

/** Return whether a job has ended, whichever way. */
export const isOver = (job) => ["done", "failed", "cancelled"].includes(job.state);

/** Return {words, share} of a job; the share is null where nobody knows it. */
export function stageWords(job) {
  if (!job) return { words: "Waiting for its turn", share: null };
  if (job.state === "queued") {
    const words = job.place ? `Waiting; ${count(job.place, "job")} before it` : STAGES.Starting;
    return { words, share: null };
  }
  const words = STAGES[job.stage] ?? (job.words || KINDS[job.kind] || job.stage || "Working");
  return { words, share: job.share > 0 ? job.share : null };
}
