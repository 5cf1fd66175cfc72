// Work that one part of the page asks for and waits for: stems, and files. What the page as a whole
// works at, store.job, goes on being watched beside it.

import { ask, AWAY, listen, Refusal } from "./api.js";
import { ENDED, store } from "./store.js";

const LOST = "It was cancelled.";

/** Ask for work, and resolve to its job once it is done; `told` is given the job as it goes on. */
export async function work(wanted, told) {
  const { job } = await ask("POST", `/api/films/${store.film.id}/jobs`, wanted);
  told(job);
  return new Promise((resolve, reject) => {
    listen(job.id, {
      job: told,
      end: (now) => {
        told(now);
        if (now.state === "done") resolve(now);
        else reject(new Refusal(0, now.state === "failed" ? now.reason : LOST));
      },
    }, (forGood) => {
      if (forGood) reject(new Refusal(0, ENDED));
      else store.say(AWAY, "error"); // the browser asks again
    });
  });
}

/** Cancel a job. */
export function cancel(job) {
  return ask("DELETE", `/api/jobs/${job.id}`);
}
