// Changes: cancellation, another time, once more.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";

import {
  HOUR, assignOptions, cancelExecution, delay, echo, ended, errors, fail, getExecution, getExecutionResult, hold, letGoWhenTold,
  listExecutions, mark, reRunExecution, refusal, rescheduleExecution, until,
} from "../client.mjs";

const NOBODY = "0".repeat(26);
const missing = refusal(errors.ExecutionNotFound, `cannot find execution "${NOBODY}"`);
const notCancellable = (state) => refusal(errors.ExecutionNotCancellable, `cannot cancel execution in ${state} state`);
// The client wraps the message of the answer, in its own spelling.
const notReschedulable = (state) => refusal(
  errors.ExecutionNotReschedulable,
  `cannot resechedule execution in "cannot reschedule execution in ${state} state" state`,
);

describe("changes", { concurrency: true }, () => {
  it("what waits is cancelled at once, by force or not", async () => {
    for (const force of [undefined, false, true]) {
      const { id } = await delay(echo, "1h")();

      assert.equal((await cancelExecution(id, force)).state, "cancelled");
      assert.equal((await getExecution(id)).state, "cancelled");
    }
  });

  it("what runs is cancelled by force only", async () => {
    const { id } = await hold();
    await until(id, "started");
    await assert.rejects(cancelExecution(id), notCancellable("started"));
    assert.equal((await getExecution(id)).state, "started");

    assert.equal((await cancelExecution(id, true)).state, "aborting");
    await until(id, "aborted");
    await assert.rejects(cancelExecution(id, true), notCancellable("aborted"));
  });

  it("an abort that is under way is told as such, and has no result yet", async () => {
    const { id } = await letGoWhenTold("under-way");
    await until(id, "started");
    await cancelExecution(id, true);

    await assert.rejects(cancelExecution(id, true), refusal(errors.ExecutionAbortingAlreadyInProgress, /aborted already/));
    await assert.rejects(cancelExecution(id), notCancellable("aborting"));
    await assert.rejects(getExecutionResult(id), errors.ExecutionResultNotAvailableYet);
    await writeFile(join(process.env.NOTES, "under-way"), "");
    await until(id, "aborted");
  });

  it("what has ended cannot be cancelled", async () => {
    const done = await ended(echo, []);
    const broken = await ended(fail, ["no"], "failed");

    await assert.rejects(cancelExecution(done), notCancellable("succeed"));
    await assert.rejects(cancelExecution(broken, true), notCancellable("failed"));
  });

  it("what waits gets another time: in words, as a date, or now", async () => {
    const { id } = await delay(echo, "1 day")();
    const inTwoHours = Date.now() + 2 * HOUR;
    const worded = await rescheduleExecution(id, "2h");
    assert.ok(Math.abs(worded.scheduledAt.getTime() - inTwoHours) < 10_000);
    assert.equal(worded.state, "created");

    const when = new Date(Date.now() + 3 * HOUR);
    assert.deepEqual((await rescheduleExecution(id, when)).scheduledAt, when);
    assert.deepEqual((await getExecution(id)).scheduledAt, when);

    await rescheduleExecution(id);
    await until(id, "succeed");
  });

  it("what runs or has ended gets no other time", async () => {
    const running = await hold();
    await until(running.id, "started");
    const done = await ended(echo, []);

    await assert.rejects(rescheduleExecution(running.id, "1h"), notReschedulable("started"));
    await assert.rejects(rescheduleExecution(done), notReschedulable("succeed"));
    await cancelExecution(running.id, true);
  });

  it("a discard outlives another time", async () => {
    const { id } = await assignOptions(echo, { delay: "1 day", discardAfter: "3 sec" })();
    await rescheduleExecution(id, "1h");

    await until(id, "discarded");
  });

  it("once more is a new execution with the same arguments and metadata", async () => {
    const { metadata, filters } = mark();
    const id = await ended(assignOptions(echo, { metadata }), [1, { a: 2 }]);
    const again = await reRunExecution(id);

    assert.notEqual(again.id, id);
    assert.equal(again.functionName, "echo");
    await until(again.id, "succeed");
    assert.deepEqual(await getExecutionResult(again.id), [1, { a: 2 }]);
    const found = (await listExecutions({}, filters)).data;
    assert.deepEqual(found.map((one) => one.id), [again.id, id]);
  });

  it("what waits, failed or was cancelled runs once more too", async () => {
    const waiting = await delay(echo, "1h")();
    await until((await reRunExecution(waiting.id)).id, "succeed");
    await cancelExecution(waiting.id);

    await until((await reRunExecution(waiting.id)).id, "succeed");
    await until((await reRunExecution(await ended(fail, ["no"], "failed"))).id, "failed");
  });

  it("nothing of it is done to an id of nobody", async () => {
    await assert.rejects(cancelExecution(NOBODY), missing);
    await assert.rejects(rescheduleExecution(NOBODY, "1h"), missing);
    await assert.rejects(reRunExecution(NOBODY), missing);
  });

  it("force as the first client spelled it is force", async () => {
    const { id } = await hold();
    await until(id, "started");

    assert.equal((await cancelExecution(id, { force: true })).state, "aborting");
    await until(id, "aborted");
  });
});
