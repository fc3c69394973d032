// The client as an application uses it, its errors, and the functions of the project.

import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";

import client from "@defer/client";

// The package does not export its errors: they are loaded by file, as the same modules.
const load = createRequire(import.meta.url);
const folder = load.resolve("@defer/client").replace(/index\.js$/, "");
export const errors = { ...load(folder + "backend.js"), ...load(folder + "backend/remote/httpClient.js") };

export { client };
export const {
  addMetadata, assignOptions, awaitResult, cancelExecution, defer, deferEnabled, delay, discardAfter, getExecution,
  getExecutionResult, getExecutionTries, listExecutionAttempts, listExecutions, reRunExecution, rescheduleExecution,
} = client;

// The body of a wrapped function is never run here: its name is what travels.
export const echo = defer(async function echo() {});
export const computeUser = defer(async function computeUser() {});
export const returnNothing = defer(async function returnNothing() {});
export const returnText = defer(async function return_text() {});
export const fail = defer(async function fail() {});
export const failOnce = defer(async function failOnce() {});
export const failForNow = defer(async function failForNow() {});
export const failThrice = defer(async function failThrice() {});
export const hold = defer(async function hold() {});
export const letGoWhenTold = defer(async function letGoWhenTold() {});

export const FINAL = ["succeed", "failed", "cancelled", "aborted", "discarded"];
export const DATED = ["scheduledAt", "createdAt", "updatedAt"];
export const HOUR = 3_600_000;

/** Wait until an execution is in one of these states, and return it. */
export async function until(id, ...states) {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const execution = await getExecution(id);
    if (states.includes(execution.state)) return execution;
    if (FINAL.includes(execution.state) || Date.now() > deadline) {
      throw new Error(`${id} is ${execution.state}, and not ${states.join(" or ")}`);
    }
    await sleep(20);
  }
}

/** Call a function, wait until it has ended so, and return its id. */
export async function ended(fn, args, state = "succeed") {
  const { id } = await fn(...args);
  await until(id, state);
  return id;
}

/** Return a fresh pair of metadata, and the filter that finds what carries it. */
export function mark() {
  const value = randomUUID();
  return { metadata: { mark: value }, filters: { metadata: [{ key: "mark", values: [value] }] } };
}

/** Return what an error is expected to be: of this very class, with this text. */
export function refusal(kind, message) {
  return (error) => {
    if (!(error instanceof kind)) throw error;
    if (message instanceof RegExp ? !message.test(error.message) : error.message !== message) {
      throw new Error(`expected ${message}, got ${error.message}`);
    }
    return true;
  };
}
