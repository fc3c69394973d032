// Calls: what is sent, and what comes back of it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  DATED, HOUR, addMetadata, assignOptions, client, computeUser, defer, deferEnabled, delay, discardAfter, echo, ended,
  getExecution, getExecutionResult, listExecutions, mark, returnText, until,
} from "../client.mjs";

describe("calls", { concurrency: true }, () => {
  it("a call answers the execution it made", async () => {
    const before = Date.now();
    const execution = await echo();

    assert.deepEqual(Object.keys(execution).sort(), [...DATED, "id", "state", "functionName", "functionId"].sort());
    assert.equal(execution.state, "created");
    assert.equal(execution.functionName, "echo");
    assert.match(execution.id, /^[0-9a-z]{26}$/);
    for (const name of DATED) assert.ok(Math.abs(execution[name].getTime() - before) < 10_000, name);
  });

  it("a name in camelCase finds the Python function, and a name in snake_case is its own", async () => {
    const camel = await computeUser(1);
    const snake = await defer(async function compute_user() {})(1);

    assert.equal(camel.functionName, "compute_user");
    assert.equal(snake.functionId, camel.functionId);
    assert.equal((await returnText()).functionName, "return_text");
  });

  it("arguments of every kind arrive as JSON has them", async () => {
    const date = new Date("2026-11-23T19:11:34.555Z");
    const sent = [1, -0.5, 2 ** 53, "Zoë \u{1f680}\n", true, null, undefined, date, [1, [undefined]], { a: { b: [date] } }, {}, []];
    const id = await ended(echo, sent);

    assert.deepEqual(await getExecutionResult(id), JSON.parse(JSON.stringify(sent)));
  });

  it("an object is an argument like any other, and what is undefined in it is left out", async () => {
    const id = await ended(computeUser, [7, { depth: 2, no: undefined, args: [1], kwargs: {} }]);

    const options = { depth: 2, args: [1], kwargs: {} };
    assert.deepEqual(await getExecutionResult(id), { id: 7, name: "Zoë", options });
  });

  it("a delay in words is counted from the call", async () => {
    const before = Date.now();
    const execution = await assignOptions(echo, { delay: "1h30m" })();

    const late = execution.scheduledAt.getTime() - before - 1.5 * HOUR;
    assert.ok(late >= 0 && late < 10_000, `${late}`);
    assert.equal((await getExecution(execution.id)).state, "created");
  });

  it("a delay may be a date, to the millisecond", async () => {
    const when = new Date(Date.now() + HOUR);

    assert.deepEqual((await delay(echo, when)()).scheduledAt, when);
  });

  it("a date that is over means now", async () => {
    const { id } = await delay(echo, new Date(0))();

    assert.ok((await until(id, "succeed")).scheduledAt.getTime() > Date.now() - 60_000);
  });

  it("what has not started by discardAfter is discarded", async () => {
    const late = assignOptions(echo, { delay: "1h", discardAfter: "1 sec" });
    const { id } = await late();

    await until(id, "discarded");
  });

  it("discardAfter may be a date, and does not touch what starts in time", async () => {
    const { id } = await discardAfter(echo, new Date(Date.now() + HOUR))();

    await until(id, "succeed");
  });

  it("options are merged over earlier ones, and the function itself stays without", async () => {
    const { metadata, filters } = mark();
    const tagged = addMetadata(echo, metadata);
    const later = await assignOptions(tagged, { delay: "1 day" })();
    const plain = await echo();

    assert.ok(later.scheduledAt.getTime() > Date.now() + 23 * HOUR);
    const found = await listExecutions({}, filters);
    assert.deepEqual(found.data.map(({ id }) => id), [later.id]);
    assert.notEqual(plain.id, later.id);
  });

  it("what is asked for later is what was answered", async () => {
    const execution = await assignOptions(echo, { delay: "1h", metadata: { a: "b" } })(1);

    assert.deepEqual(await getExecution(execution.id), execution);
  });

  it("many calls at once are as many executions", async () => {
    const executions = await Promise.all(Array.from({ length: 100 }, (_, n) => echo(n)));

    assert.equal(new Set(executions.map(({ id }) => id)).size, 100);
  });

  it("the client knows that it is enabled, and which backend it took", () => {
    assert.equal(deferEnabled(), true);
    assert.equal(typeof client.backend.start, "undefined");
  });
});
