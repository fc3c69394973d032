// Results: what a function returned, what it failed with, and where there is none.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, it } from "node:test";

import {
  cancelExecution, computeUser, delay, echo, ended, errors, fail, failForNow, getExecution, getExecutionResult, hold,
  listExecutionAttempts, refusal, returnNothing, returnText, until,
} from "../client.mjs";

const notYet = refusal(errors.ExecutionResultNotAvailableYet, "result is not available yet");
const never = refusal(errors.ExecutionResultNotAvailable, "result is not available");

describe("results", { concurrency: true }, () => {
  it("a result is what the function returned, bare", async () => {
    assert.deepEqual(await getExecutionResult(await ended(computeUser, [3])), { id: 3, name: "Zoë", options: null });
  });

  it("nothing returned is null, and no text is a text", async () => {
    assert.equal(await getExecutionResult(await ended(returnNothing, [])), null);
    assert.equal(await getExecutionResult(await ended(returnText, [])), "");
  });

  it("a failure is an object with the message and the stack", async () => {
    const result = await getExecutionResult(await ended(fail, ["no way"], "failed"));

    assert.equal(result.message, "no way");
    assert.match(result.stack, /fail\.py", line \d+/);
    assert.match(result.stack, /ValueError: no way/);
  });

  it("a failure without a message has one all the same", async () => {
    assert.ok((await getExecutionResult(await ended(fail, [""], "failed"))).message);
  });

  it("what waits has no result yet", async () => {
    const { id } = await delay(echo, "1h")();

    await assert.rejects(getExecutionResult(id), notYet);
  });

  it("what runs has no result yet, and what was aborted never has one", async () => {
    const { id } = await hold();
    await until(id, "started");
    await assert.rejects(getExecutionResult(id), notYet);

    await cancelExecution(id, true);
    await until(id, "aborted");
    await assert.rejects(getExecutionResult(id), never);
  });

  it("what waits for its next retry is not failed, and has no result yet", async () => {
    const { id } = await failForNow();
    const failures = { states: ["failed"] };
    while (!(await listExecutionAttempts(id, {}, failures)).data.length) await getExecution(id);

    assert.equal((await getExecution(id)).state, "created");
    await assert.rejects(getExecutionResult(id), notYet);
    await cancelExecution(id);
    await assert.rejects(getExecutionResult(id), never);
  });

  it("what was cancelled never has a result", async () => {
    const cancelled = await delay(echo, "1h")();
    await cancelExecution(cancelled.id);

    await assert.rejects(getExecutionResult(cancelled.id), never);
  });

  it("an id of nobody is not found, nor is what is no id", async () => {
    for (const id of ["0".repeat(26), randomUUID(), "a"]) {
      const missing = refusal(errors.ExecutionNotFound, `cannot find execution "${id}"`);
      await assert.rejects(getExecution(id), missing);
      await assert.rejects(getExecutionResult(id), missing);
    }
  });
});
