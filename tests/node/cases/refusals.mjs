// Refusals: what is answered to calls and callers that are wrong. The environment is read at each call: one at a time.

import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";

import { addMetadata, computeUser, defer, deferEnabled, echo, errors, getExecution, listExecutions, refusal } from "../client.mjs";

const { DEFER_ENDPOINT, DEFER_TOKEN } = process.env;
const answered = (status, message) => refusal(errors.DeferError, new RegExp(`^backend responds with "${status}" and message "${message}`));

describe("refusals", () => {
  afterEach(() => Object.assign(process.env, { DEFER_ENDPOINT, DEFER_TOKEN }));

  it("a wrong token is refused everywhere", async () => {
    process.env.DEFER_TOKEN = "wrong";

    for (const call of [() => echo(), () => getExecution("0".repeat(26)), () => listExecutions()]) {
      await assert.rejects(call(), answered(401, ".*token"));
    }
  });

  it("no token is refused, and tells that defer is not enabled", async () => {
    process.env.DEFER_TOKEN = "";

    assert.equal(deferEnabled(), false);
    await assert.rejects(echo(), answered(401, ".*token"));
  });

  it("a path in the endpoint is dropped by the client, and does no harm", async () => {
    process.env.DEFER_ENDPOINT = `${DEFER_ENDPOINT}/a/path`;

    assert.equal((await echo()).functionName, "echo");
  });

  it("a function that is not there is named, with the nearest there is", async () => {
    await assert.rejects(defer(async function computeUsr() {})(), answered(400, 'cannot find function "computeUsr".*compute_user'));
    await assert.rejects(defer(async () => {})(), answered(400, 'cannot find function ""'));
  });

  it("a cron takes no calls", async () => {
    await assert.rejects(defer.cron(async function weekly() {}, "0 8 * * MON")(), answered(400, ".*weekly.* is a cron"));
  });

  it("metadata that breaks the rules is refused by its key", async () => {
    const many = Object.fromEntries(Array.from({ length: 26 }, (_, n) => [`key${n}`, "v"]));

    await assert.rejects(addMetadata(echo, many)(), answered(400, ".*metadata"));
    await assert.rejects(addMetadata(echo, { user: 12 })(), answered(400, ".*metadata"));
    await assert.rejects(addMetadata(echo, { user: "Zoë" })(), answered(400, ".*metadata"));
    await assert.rejects(addMetadata(echo, { user: "" })(), answered(400, ".*metadata"));
  });

  it("arguments that do not fit the function are refused by its own words", async () => {
    await assert.rejects(computeUser(), answered(400, "function_arguments: compute_user\\(\\) got 0 arguments"));
  });

  it("arguments over a mebibyte are refused, and the next call on the connection is not", async () => {
    await assert.rejects(echo("x".repeat(1024 * 1024 + 1)), answered(413, ""));
    await assert.rejects(echo("x".repeat(4 * 1024 * 1024)), answered(413, ""));
    assert.equal((await echo()).functionName, "echo");
  });

  it("arguments that are no JSON never leave the client", async () => {
    await assert.rejects(echo(1n), /^Error: cannot stringify value/);
  });

  it("nobody at the endpoint is an error of the client", async () => {
    process.env.DEFER_ENDPOINT = "http://127.0.0.1:9";

    await assert.rejects(echo(), refusal(errors.ClientError, /^cannot execute http request: fetch failed/));
  });

  it("every error is a DeferError", () => {
    const kinds = Object.entries(errors).filter(([name]) => /^[A-Z]/.test(name));

    assert.equal(kinds.length, 8);
    for (const [, kind] of kinds) assert.ok(new kind() instanceof errors.DeferError);
  });
});
