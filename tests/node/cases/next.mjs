// A route of Next.js in front of a function: asNextRoute of the client.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import next from "@defer/client/next";

import { computeUser, delay, echo, fail, until } from "../client.mjs";

const PAGE = "http://localhost:3000/api/compute";

/** Return a route's answers: of a call, and of a question about one. */
function route(fn, options) {
  const { GetHandler, PostHandler } = next.asNextRoute(fn, options);
  return {
    call: async (body) => (await PostHandler(new Request(PAGE, { method: "POST", body: JSON.stringify(body) }))).json(),
    ask: async (id) => (await GetHandler({ nextUrl: new URL(`${PAGE}?id=${id}`) })).json(), // all it takes of a NextRequest
  };
}

describe("next", { concurrency: true }, () => {
  it("a route calls the function and tells its result", async () => {
    const { call, ask } = route(computeUser);
    const { id } = await call([4]);
    await until(id, "succeed");

    assert.deepEqual(await ask(id), { id, state: "succeed", result: { id: 4, name: "Zoë", options: null } });
  });

  it("a route tells a failure, and what has no result yet", async () => {
    const broken = route(fail);
    const { id } = await broken.call(["no way"]);
    await until(id, "failed");
    assert.equal((await broken.ask(id)).result.message, "no way");

    const waiting = route(delay(echo, "1h"));
    const later = await waiting.call([]);
    assert.deepEqual(await waiting.ask(later.id), { id: later.id, state: "created" });
  });

  it("a route tells what is not there", async () => {
    const id = "0".repeat(26);

    assert.match((await route(echo).ask(id)).error, /cannot find execution/);
  });

  it("a proxy makes the arguments", async () => {
    const { id } = await route(computeUser, { proxy: async () => [9] }).call({});

    assert.equal((await until(id, "succeed")).functionName, "compute_user");
  });
});
