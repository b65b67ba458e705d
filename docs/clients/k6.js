// Send load to tidegauge with k6, by the same rules as any other client: what is not acknowledged is sent again, with the same ids.
//
//     k6 run -e ADDRESS=http://127.0.0.1:8080 -e REQUESTS=1000 k6.js
//
// Needs k6 1.x; the key stands in TIDEGAUGE_KEY. Every event has an id of its own, made of RUN and its number, and happens at TIME;
// both are of the start where they are not set, and are told. The same again (`-e RUN=… -e TIME=…`) count nothing twice: so a run
// is repeated whose batches could not all be delivered. The exit code is 99 then.

import { check, fail, sleep } from "k6";
import exec from "k6/execution";
import http from "k6/http";
import { Counter } from "k6/metrics";

const ADDRESS = __ENV.ADDRESS || "http://127.0.0.1:8080";
const BATCH = Number(__ENV.BATCH || 100);
const REQUESTS = Number(__ENV.REQUESTS || 100);
const GIVE_UP_MS = 120_000;
const FIRST_PAUSE_S = 0.2;
const LONGEST_PAUSE_S = 30;
const tryAgain = (status) => status === 0 || status === 408 || status === 429 || status >= 500; // 0: the connection broke

export const options = {
  scenarios: {
    events: {
      executor: "shared-iterations",
      vus: Math.min(Number(__ENV.VUS || 4), REQUESTS),
      iterations: REQUESTS,
      maxDuration: __ENV.LONGEST || "10m",
      gracefulStop: "160s", // a batch under way is delivered or given up
    },
  },
  thresholds: {
    undelivered_batches: ["count==0"],
    rejected_events: ["count==0"],
    dropped_iterations: ["count==0"],
  },
};

const acknowledged = new Counter("acknowledged_events");
const rejected = new Counter("rejected_events");
const undelivered = new Counter("undelivered_batches");

// Runs once, so that all virtual users speak of the same run and no batch gets another time on its second attempt.
export function setup() {
  undelivered.add(0);
  rejected.add(0);
  const run = __ENV.RUN || String(Math.floor(Date.now() / 1000));
  const time = __ENV.TIME || new Date().toISOString();
  console.log(`to send the same again: -e RUN=${run} -e TIME=${time}`);
  return { run, time };
}

export default function ({ run, time }) {
  const first = exec.scenario.iterationInTest * BATCH;
  const body = JSON.stringify(Array.from({ length: BATCH }, (_, number) => event(run, time, first + number)));
  const deadline = Date.now() + GIVE_UP_MS;
  for (let attempt = 0; ; attempt++) {
    const answer = http.post(`${ADDRESS}/v1/events`, body, {
      headers: { authorization: `Bearer ${__ENV.TIDEGAUGE_KEY}`, "content-type": "application/cloudevents-batch+json" },
      timeout: "30s",
    });
    const said = answer.status === 202 || answer.status === 422 ? saidIn(answer) : null;
    if (said) {
      // A rejected event lies in the dead letters, and would be rejected again: mend `event`.
      for (const { id, reason, detail } of said.rejected) console.error(`rejected ${id}: ${reason}: ${detail}`);
      acknowledged.add(said.accepted);
      rejected.add(said.rejected.length);
      check(answer, { "all accepted": ({ status }) => status === 202 });
      return;
    }
    // As long as the service asks for, and then at random, so that clients do not come back all at once.
    const atLeastS = retryAfterS(answer.headers["Retry-After"] || "0");
    const pauseS = atLeastS + Math.random() * Math.min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** Math.min(attempt, 10));
    if (!tryAgain(answer.status) || Date.now() + 1000 * pauseS > deadline) {
      undelivered.add(1);
      fail(`${BATCH} events from ${first} on not delivered: ${answer.status} ${answer.error || answer.body}`);
    }
    sleep(pauseS);
  }
}

// What the service says became of the events; nothing where the answer is not the service's.
function saidIn(answer) {
  try {
    const said = answer.json();
    return Array.isArray(said.rejected) ? said : null;
  } catch {
    return null;
  }
}

// What the header Retry-After asks for: seconds, or a date; nothing where it cannot be read (RFC 9110, 10.2.3).
function retryAfterS(said) {
  return /^\d+$/.test(said) ? Number(said) : Math.max(0, (Date.parse(said) - Date.now()) / 1000 || 0);
}

function event(run, time, number) {
  return {
    specversion: "1.0",
    id: `${run}-${number}`,
    source: "/k6",
    type: "io.tidegauge.request.v1",
    time,
    data: { service: "load", route: `/r/${number % 20}`, method: "GET", status: number % 50 ? 200 : 500, latency_ms: 1 + (number % 400) },
  };
}
