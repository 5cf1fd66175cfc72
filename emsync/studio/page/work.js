// Work that one part of the page asks for and waits for: stems, and files. What the page as a whole
// works at, store.job, goes on being watched beside it.

import { ask, Refusal } from "./api.js";
import { isOver } from "./stages.js";
import { store } from "./store.js";

const PAUSE = 300; // milliseconds between two looks
const LOST = "It was cancelled.";

/**
 * Ask for work, and resolve to its job once it is done; `told` is given the job as it goes on. It
 * is looked at again and again: browsers hold six connections to a host, and listening takes one.
 */
export async function work(wanted, told) {
  let { job } = await ask("POST", `/api/films/${store.film.id}/jobs`, wanted);
  while (!isOver(job)) {
    told(job);
    await new Promise((resolve) => { setTimeout(resolve, PAUSE); });
    job = await ask("GET", `/api/jobs/${job.id}`);
  }
  if (job.state === "done") return job;
  throw new Refusal(0, job.state === "failed" ? job.reason : LOST);
}

/** Cancel a job. */
export function cancel(job) {
  return ask("DELETE", `/api/jobs/${job.id}`);
}
