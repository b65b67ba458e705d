// Send events to tidegauge with the CloudEvents SDK for JavaScript (npm `cloudevents`), in any of the three content modes of HTTP.
//
//     npm ci
//     node cloudevents_http.mjs http://127.0.0.1:8080 structured|batch|binary < events.ndjson
//
// Needs Node 20; the key stands in TIDEGAUGE_KEY. Reads an event a line. Events that could not be delivered are printed at the
// end, an event a line, so that they can be sent again: the exit code is 1 then, and where a line is not an event. Such lines and
// rejected events are told on standard error. `batch` costs the service least; the other two are one event a request.
//
// The SDK's own `httpTransport` does not tell the status of an answer, so nobody could know what to send again; this one does.

import http from "node:http";
import https from "node:https";
import readline from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { CloudEvent, HTTP } from "cloudevents";

const BATCH_EVENTS = 500; // of at most 256,000 bytes each; the service takes 10 MB: send fewer at once if yours are large
const CONNECTIONS = 8; // beyond them the reader of standard input waits
const GIVE_UP_MS = 120_000;
const REQUEST_TIMEOUT_MS = 30_000;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 30_000;
const tryAgain = (status) => status === 408 || status === 429 || status >= 500;

const [address, mode] = process.argv.slice(2);
const sink = new URL("/v1/events", address);
const transport = sink.protocol === "https:" ? https : http;
const agent = new transport.Agent({ keepAlive: true, maxSockets: CONNECTIONS });
const messageOf = { structured: ([event]) => HTTP.structured(event), binary: ([event]) => encoded(HTTP.binary(event)), batch }[mode];
if (!messageOf) throw new Error("node cloudevents_http.mjs ADDRESS structured|batch|binary");

// The SDK reads batches but does not write them; a batch is only an array of structured events.
function batch(events) {
  return { headers: { "content-type": "application/cloudevents-batch+json; charset=utf-8" }, body: JSON.stringify(events) };
}

// The SDK leaves it to us to percent-encode headers (CloudEvents, HTTP protocol binding, 3.1.3.2).
function encoded({ headers, body }) {
  const escape = (value) => String(value).replace(/[^\x21-\x7e]|["%]/gu, (char) => encodeURIComponent(char));
  const entries = Object.entries(headers).map(([name, value]) => [name, name.startsWith("ce-") ? escape(value) : value]);
  return { headers: Object.fromEntries(entries), body };
}

// One request: its status, headers and body. Rejects where the connection breaks.
function post({ headers, body }) {
  return new Promise((resolve, reject) => {
    const options = { method: "POST", agent, headers: { ...headers, authorization: `Bearer ${process.env.TIDEGAUGE_KEY}` } };
    const request = transport.request(sink, { ...options, signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk) => (text += chunk));
      answer.on("end", () => resolve({ status: answer.statusCode, headers: answer.headers, text }));
      answer.on("error", reject);
    });
    request.on("error", reject);
    request.write(body);
    request.end();
  });
}

// Send one request, over and over with the same ids, until it is answered for good; gives back why it was not.
async function deliver(events) {
  const message = messageOf(events);
  const deadline = Date.now() + GIVE_UP_MS;
  for (let attempt = 0; ; attempt++) {
    const answer = await post(message).catch((error) => ({ broken: String(error) })); // whether the events arrived is not known
    if (answer.status === 202 || answer.status === 422) {
      // A rejected event lies in the dead letters, and would be rejected again: mend what makes such events.
      for (const { id, reason, detail } of JSON.parse(answer.text).rejected) console.error(`rejected ${id}: ${reason}: ${detail}`);
      return "";
    }
    const told = answer.broken ?? `${answer.status}: ${answer.text}`;
    if (!answer.broken && !tryAgain(answer.status)) return told;
    // As long as the service asks for, and then at random, so that clients do not come back all at once.
    const pauseMs = retryAfterMs(answer.headers?.["retry-after"] ?? "0") + Math.random() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempt, 10));
    if (Date.now() + pauseMs > deadline) return told;
    await sleep(pauseMs);
  }
}

// What the header Retry-After asks for: seconds, or a date; nothing where it cannot be read (RFC 9110, 10.2.3).
function retryAfterMs(said) {
  return /^\d+$/.test(said) ? Number(said) * 1000 : Math.max(0, Date.parse(said) - Date.now() || 0);
}

const unsent = [];
const underWay = new Set();

async function send(events) {
  while (underWay.size >= CONNECTIONS) await Promise.race(underWay);
  const sending = deliver(events)
    .catch(String) // whatever it is, no event is lost
    .then((why) => {
      if (why) {
        console.error(`${events.length} events not delivered: ${why}`);
        unsent.push(...events);
      }
      underWay.delete(sending);
    });
  underWay.add(sending);
}

// The event of a line: gets its id and its time here, once, where it has none. Nothing where the line is not an event.
function eventOf(line, number) {
  try {
    return new CloudEvent(JSON.parse(line));
  } catch (error) {
    console.error(`line ${number} is not an event: ${error.message}`);
    badLines += 1;
  }
}

let events = [];
let number = 0;
let badLines = 0;
try {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const event = eventOf(line, ++number);
    if (event) events.push(event);
    if (events.length === (mode === "batch" ? BATCH_EVENTS : 1)) {
      await send(events);
      events = [];
    }
  }
} finally {
  if (events.length) await send(events);
  await Promise.all(underWay);
  for (const event of unsent) console.log(String(event));
  agent.destroy();
  process.exitCode = unsent.length || badLines ? 1 : 0;
}
