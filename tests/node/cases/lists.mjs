// Lists: pages in both directions, every filter, and the attempts of one execution.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  HOUR, assignOptions, cancelExecution, computeUser, delay, echo, ended, errors, fail, failThrice, getExecution,
  getExecutionTries, hold, listExecutionAttempts, listExecutions, mark, refusal, until,
} from "../client.mjs";

const ids = (page) => page.data.map(({ id }) => id);

/** Call a function so often, one after the other; return the ids, newest first, and the filter for them. */
async function several(count, fn = echo) {
  const { metadata, filters } = mark();
  const made = [];
  for (let n = 0; n < count; n++) made.unshift((await assignOptions(fn, { metadata, delay: "1h" })(n)).id);
  return [made, filters];
}

describe("lists", { concurrency: true }, () => {
  it("without page and filters the newest come first, fifty at most", async () => {
    await Promise.all(Array.from({ length: 60 }, () => echo()));
    const page = await listExecutions();

    assert.equal(page.data.length, 50);
    const created = page.data.map(({ createdAt }) => createdAt.getTime());
    assert.deepEqual(created, created.toSorted((a, b) => b - a));
    assert.equal(page.pageInfo.hasNextPage, true);
    assert.equal(page.pageInfo.hasPrevPage, false);
  });

  it("a listed execution is what asking for it says", async () => {
    const [[id], filters] = await several(1);

    assert.deepEqual((await listExecutions({}, filters)).data, [await getExecution(id)]);
  });

  it("pages go forward to the end", async () => {
    const [made, filters] = await several(5);
    const first = await listExecutions({ first: 2 }, filters);
    const second = await listExecutions({ first: 2, after: first.pageInfo.endCursor }, filters);
    const third = await listExecutions({ first: 2, after: second.pageInfo.endCursor }, filters);

    assert.deepEqual([ids(first), ids(second), ids(third)], [made.slice(0, 2), made.slice(2, 4), made.slice(4)]);
    assert.deepEqual([first, second, third].map((page) => page.pageInfo.hasNextPage), [true, true, false]);
    assert.deepEqual([first, second, third].map((page) => page.pageInfo.hasPrevPage), [false, true, true]);
  });

  it("pages go backward to the start, in the same order", async () => {
    const [made, filters] = await several(5);
    const last = await listExecutions({ last: 2 }, filters);
    const before = await listExecutions({ last: 2, before: last.pageInfo.startCursor }, filters);
    const first = await listExecutions({ last: 2, before: before.pageInfo.startCursor }, filters);

    assert.deepEqual([ids(last), ids(before), ids(first)], [made.slice(3), made.slice(1, 3), made.slice(0, 1)]);
    assert.deepEqual([last, before, first].map((page) => page.pageInfo.hasPrevPage), [true, true, false]);
    assert.deepEqual([last, before, first].map((page) => page.pageInfo.hasNextPage), [false, true, true]);
  });

  it("an empty page has no cursors", async () => {
    const page = await listExecutions({ first: 1 }, mark().filters);

    assert.deepEqual(page, { data: [], pageInfo: { hasNextPage: false, hasPrevPage: false, startCursor: null, endCursor: null } });
  });

  it("states narrow a list, one or the other", async () => {
    const { metadata, filters } = mark();
    const tagged = (fn, options = {}) => assignOptions(fn, { metadata, ...options });
    const done = await ended(tagged(echo), []);
    const failed = await ended(tagged(fail), ["no"], "failed");
    const { id: waiting } = await tagged(echo, { delay: "1h" })();
    const { id: cancelled } = await tagged(echo, { delay: "1h" })();
    await cancelExecution(cancelled);
    const inStates = async (...states) => ids(await listExecutions({}, { ...filters, states }));

    assert.deepEqual(await inStates("succeed"), [done]);
    assert.deepEqual(await inStates("failed", "created"), [waiting, failed]);
    assert.deepEqual(await inStates("cancelled", "aborted", "aborting", "discarded", "started"), [cancelled]);
    assert.deepEqual(await inStates(), [cancelled, waiting, failed, done]);
  });

  it("function ids narrow a list", async () => {
    const { metadata, filters } = mark();
    const one = await assignOptions(echo, { metadata, delay: "1h" })();
    const other = await assignOptions(computeUser, { metadata, delay: "1h" })(1);
    const of = async (...functionIds) => ids(await listExecutions({}, { ...filters, functionIds }));

    assert.deepEqual(await of(one.functionId), [one.id]);
    assert.deepEqual(await of(one.functionId, other.functionId), [other.id, one.id]);
    assert.deepEqual(await of("nobody"), []);
    assert.deepEqual(await of(), [other.id, one.id]);
  });

  it("error codes narrow a list", async () => {
    const { metadata, filters } = mark();
    await ended(assignOptions(echo, { metadata }), []);
    const failed = await ended(assignOptions(fail, { metadata }), ["no"], "failed");

    assert.deepEqual(ids(await listExecutions({}, { ...filters, errorCodes: ["ER0001", "ER0003"] })), [failed]);
    assert.deepEqual(ids(await listExecutions({}, { ...filters, errorCodes: ["ER0001"] })), []);
  });

  it("the time it is scheduled for narrows a list, bounds included", async () => {
    const { metadata, filters } = mark();
    const when = new Date(Date.now() + HOUR);
    const { id } = await assignOptions(echo, { metadata, delay: when })();
    const later = new Date(when.getTime() + 1);
    const at = async (scheduleAt) => ids(await listExecutions({}, { ...filters, scheduleAt }));

    assert.deepEqual(await at({ from: when, to: when }), [id]);
    assert.deepEqual(await at({ from: later }), []);
    assert.deepEqual(await at({ to: new Date(when.getTime() - 1) }), []);
    assert.deepEqual(await at({ to: later }), [id]);
  });

  it("the time it started narrows a list, and what never started is left out", async () => {
    const { metadata, filters } = mark();
    const from = new Date(Date.now() - HOUR);
    await assignOptions(echo, { metadata, delay: "1h" })();
    const done = await ended(assignOptions(echo, { metadata }), []);

    assert.deepEqual(ids(await listExecutions({}, { ...filters, startedAt: { from, to: new Date(Date.now() + HOUR) } })), [done]);
    assert.deepEqual(ids(await listExecutions({}, { ...filters, startedAt: { to: from } })), []);
  });

  it("who executed it narrows a list", async () => {
    const { metadata, filters } = mark();
    const done = await ended(assignOptions(echo, { metadata }), []);

    assert.deepEqual(ids(await listExecutions({}, { ...filters, executedBy: process.env.RUNNER })), [done]);
    assert.deepEqual(ids(await listExecutions({}, { ...filters, executedBy: "nobody" })), []);
  });

  it("values of one key of metadata are alternatives, several keys must all be met", async () => {
    const { metadata, filters } = mark();
    const tag = (user, plan) => delay(assignOptions(echo, { metadata: { ...metadata, user, plan } }), "1h")();
    const { id: ada } = await tag("ada", "pro");
    const { id: bob } = await tag("bob", "free");
    const having = async (...wanted) => ids(await listExecutions({}, { metadata: [...filters.metadata, ...wanted] }));

    assert.deepEqual(await having({ key: "user", values: ["ada", "bob"] }), [bob, ada]);
    assert.deepEqual(await having({ key: "user", values: ["ada", "bob"] }, { key: "plan", values: ["pro"] }), [ada]);
    assert.deepEqual(await having({ key: "plan", values: [] }), [bob, ada]);
  });

  it("attempts are listed newest first, each with an id of its own", async () => {
    const id = await ended(failThrice, [], "failed");
    const page = await listExecutionAttempts(id);

    assert.deepEqual(ids(page), [`${id}.3`, `${id}.2`, `${id}.1`]);
    assert.deepEqual(page.data.map(({ state }) => state), ["failed", "failed", "failed"]);
    assert.equal((await getExecution(`${id}.2`)).id, `${id}.2`);
    assert.equal(page.data[0].functionName, "fail_thrice");
  });

  it("attempts have pages and filters too", async () => {
    const id = await ended(failThrice, [], "failed");
    const first = await listExecutionAttempts(id, { first: 2 });
    const rest = await listExecutionAttempts(id, { first: 2, after: first.pageInfo.endCursor });

    assert.deepEqual([...ids(first), ...ids(rest)], [`${id}.3`, `${id}.2`, `${id}.1`]);
    assert.deepEqual([first.pageInfo.hasNextPage, rest.pageInfo.hasNextPage], [true, false]);
    assert.deepEqual(ids(await listExecutionAttempts(id, { last: 1 })), [`${id}.1`]);
    assert.deepEqual(ids(await listExecutionAttempts(id, {}, { states: ["succeed"] })), []);
    assert.equal((await listExecutionAttempts(id, {}, { states: ["failed"], errorCodes: ["ER0003"] })).data.length, 3);
    assert.equal((await listExecutionAttempts(id, {}, { startedAt: { to: new Date(0) } })).data.length, 0);
  });

  it("the deprecated tries are the attempts", async () => {
    const id = await ended(echo, []);

    assert.deepEqual(await getExecutionTries(id), await listExecutionAttempts(id));
    assert.deepEqual(ids(await getExecutionTries(id)), [`${id}.1`]);
  });

  it("an attempt that runs is started, and cannot be changed by its own id", async () => {
    const { id } = await hold();
    await until(id, "started");
    const [attempt] = (await listExecutionAttempts(id)).data;

    assert.equal(attempt.state, "started");
    await assert.rejects(cancelExecution(attempt.id, true), errors.ExecutionNotCancellable);
    await cancelExecution(id, true);
    await until(id, "aborted");
  });

  it("attempts of nobody are not found", async () => {
    const id = "0".repeat(26);

    await assert.rejects(listExecutionAttempts(id), refusal(errors.ExecutionNotFound, `cannot find execution "${id}"`));
  });

  it("a page or a filter that makes no sense is refused by its name", async () => {
    const wrong = (name) => refusal(errors.DeferError, new RegExp(`"400" and message ".*${name}`));

    await assert.rejects(listExecutions({ first: -1 }), wrong("first"));
    await assert.rejects(listExecutions({ first: "two" }), wrong("first"));
    await assert.rejects(listExecutions({ first: 501 }), wrong("first"));
    await assert.rejects(listExecutions({ after: "nowhere" }), wrong("after"));
    await assert.rejects(listExecutions({}, { states: ["succeeded"] }), wrong("states"));
    await assert.rejects(listExecutions({}, { scheduleAt: { from: "monday" } }), wrong("scheduled_at"));
  });
});
