// awaitResult: how a wait ends. The client polls at random whole seconds, up to 15; here it draws 1, nearly always.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

Math.random = () => 0.07; // before the client is loaded, which keeps the function
const {
  assignOptions, awaitResult, cancelExecution, computeUser, echo, errors, fail, failOnce, failThrice, hold, listExecutions,
  mark, refusal, returnNothing, until,
} = await import("../client.mjs");

/** Begin a wait, and return it with the id of what it waits for. */
async function begun(fn, ...args) {
  const { metadata, filters } = mark();
  const wait = awaitResult(assignOptions(fn, { metadata }))(...args);
  wait.catch(() => {}); // heard below
  for (;;) {
    const [execution] = (await listExecutions({}, filters)).data;
    if (execution) return { wait, id: execution.id };
  }
}

describe("waits", { concurrency: true }, () => {
  it("a wait ends with the result", async () => {
    assert.deepEqual(await awaitResult(computeUser)(5), { id: 5, name: "Zoë", options: null });
    assert.equal(await awaitResult(returnNothing)(), null);
  });

  it("waits run side by side", async () => {
    const results = await Promise.all([1, 2, 3].map((n) => awaitResult(echo)(n)));

    assert.deepEqual(results, [[1], [2], [3]]);
  });

  it("a failure is raised with its message and its stack", async () => {
    await assert.rejects(awaitResult(fail)("no way"), (error) => {
      assert.ok(error instanceof errors.DeferError);
      assert.equal(error.message, "no way");
      assert.match(error.stack, /ValueError: no way/);
      return true;
    });
  });

  it("a failure without a message is an error too", async () => {
    await assert.rejects(awaitResult(fail)(""), errors.DeferError);
  });

  it("a failure that is tried again does not end the wait", async () => {
    assert.equal(await awaitResult(failOnce)(), 2);
  });

  it("the last failure ends the wait", async () => {
    await assert.rejects(awaitResult(failThrice)(), refusal(errors.DeferError, "attempt 3"));
  });

  it("a cancellation ends the wait", async () => {
    const later = assignOptions(echo, { delay: "1h" });
    const { wait, id } = await begun(later);
    await cancelExecution(id);

    await assert.rejects(wait, refusal(errors.DeferError, `execution "${id}" was "cancelled"`));
  });

  it("an abort ends the wait", async () => {
    const { wait, id } = await begun(hold);
    await until(id, "started");
    await cancelExecution(id, true);

    await assert.rejects(wait, refusal(errors.DeferError, `execution "${id}" was "aborted"`));
  });

  it("a discard ends the wait", async () => {
    const { wait, id } = await begun(assignOptions(echo, { delay: "1h", discardAfter: "1 sec" }));

    await assert.rejects(wait, refusal(errors.DeferError, `execution "${id}" was "discarded"`));
  });
});
