// The client before 2.0, which speaks v1 of the API.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { describe, it } from "node:test";

Math.random = () => 0.07; // before the client is loaded: its waits are random too
const first = createRequire(import.meta.url)("first-client");
const second = await import("../client.mjs");

const computeUser = first.defer(async function computeUser() {});
const echo = first.defer(async function echo() {});
const fail = first.defer(async function fail() {});
const hold = first.defer(async function hold() {});

async function until(id, state) {
  await second.until(id, state);
  return first.getExecution(id);
}

describe("first", { concurrency: true }, () => {
  it("the first client calls, and is told the result with the state", async () => {
    const { id } = await first.assignOptions(computeUser, { metadata: { a: "b" } })(6);

    assert.deepEqual(await until(id, "succeed"), { id, state: "succeed", result: { id: 6, name: "Zoë", options: null } });
  });

  it("the first client is told a failure with its stack", async () => {
    const { id } = await fail("no way");

    const { result } = await until(id, "failed");
    assert.equal(result.message, "no way");
    assert.match(result.stack, /ValueError: no way/);
  });

  it("the first client waits for a result, and for a failure", async () => {
    assert.deepEqual(await first.awaitResult(echo)(1), [1]);
    await assert.rejects(first.awaitResult(fail)("no way"), /no way/);
  });

  it("the first client delays, reschedules and cancels", async () => {
    const { id } = await first.delay(echo, "1h")();
    await first.rescheduleExecution(id, "2h");
    assert.ok((await second.getExecution(id)).scheduledAt.getTime() > Date.now() + 1.5 * second.HOUR);

    assert.deepEqual(await first.cancelExecution(id), { id });
    assert.equal((await first.getExecution(id)).state, "cancelled");
  });

  it("the first client aborts what runs, by force only", async () => {
    const { id } = await hold();
    await second.until(id, "started");
    await assert.rejects(first.cancelExecution(id), /cannot cancel execution in started state/);

    await first.cancelExecution(id, true);
    await until(id, "aborted");
  });

  it("the first client discards what does not start in time", async () => {
    const { id } = await first.assignOptions(echo, { delay: "1h", discardAfter: "1 sec" })();

    await second.until(id, "discarded");
  });

  it("the first client is told the tries", async () => {
    const { id } = await echo();
    await second.until(id, "succeed");

    assert.deepEqual(await first.getExecutionTries(id), [{ id: `${id}.1`, state: "succeed" }]);
  });

  it("the first client is told what is wrong", async () => {
    await assert.rejects(first.getExecution("0".repeat(26)), /cannot find execution/);
    await assert.rejects(first.defer(async function nobody() {})(), /invalid function name/);
  });
});
