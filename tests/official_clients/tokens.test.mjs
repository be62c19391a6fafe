// Public tokens: those that the client signs itself, that of a trigger's answer, and false ones.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { auth, configure, runs, tasks } from "@trigger.dev/sdk";
import { ApiClient } from "@trigger.dev/core/v3";
import { claims, key, signed, take, until, url } from "./house.mjs";

configure({ baseURL: url, accessToken: key });
const once = { retry: { maxAttempts: 1 } };
const api = new ApiClient(url, key);
const holding = (token) => new ApiClient(url, token);
const approved = { approved: true, reviewer: "ann" };

/** A run that waits for an approval. */
const run = async (options) => (await tasks.trigger("review", "a", options)).id;
const status = (wanted) => (error) => {
  assert.equal(error.status, wanted, String(error));
  return true;
};

describe("tokens that the client signs", { concurrency: 4 }, () => {
  test("read:runs permits reading that run, and nothing else", async () => {
    const [id, other] = [await run(), await run()];
    const token = await auth.createPublicToken({ scopes: { read: { runs: id } } });
    const client = holding(token);
    assert.equal((await client.retrieveRun(id)).id, id);
    await assert.rejects(client.retrieveRun(other), status(403));
    await assert.rejects(client.retrieveRun("run_unknown"), status(403));
    await assert.rejects(client.cancelRun(id, once), status(403));
    await assert.rejects(client.sendInputStream(id, "approval", approved), status(403));
    await assert.rejects(client.listRuns(), status(403));
    await assert.rejects(client.getRunResult(id), status(401));
  });

  test("read:runs of several runs, or of all, permits each", async () => {
    const [a, b, c] = [await run(), await run(), await run()];
    const some = holding(await auth.createPublicToken({ scopes: { read: { runs: [a, b] } } }));
    assert.equal((await some.retrieveRun(b)).id, b);
    await assert.rejects(some.retrieveRun(c), status(403));
    const all = holding(await auth.createPublicToken({ scopes: { read: { runs: true } } }));
    assert.equal((await all.retrieveRun(c)).id, c);
    assert.ok((await all.listRuns()).data.length > 0);
  });

  test("read:tags permits reading the runs with that tag", async () => {
    const tag = `env:${randomUUID()}`;
    const [id, other] = [await run({ tags: [tag] }), await run()];
    const client = holding(await auth.createPublicToken({ scopes: { read: { tags: tag } } }));
    assert.equal((await client.retrieveRun(id)).id, id);
    await assert.rejects(client.retrieveRun(other), status(403));
  });

  test("read:tasks permits reading and listing the runs of that task", async () => {
    const id = await run();
    const client = holding(await auth.createPublicToken({ scopes: { read: { tasks: "review" } } }));
    assert.equal((await client.retrieveRun(id)).id, id);
    assert.ok((await client.listRuns({ taskIdentifier: "review" })).data.length > 0);
    await assert.rejects(client.listRuns({ taskIdentifier: ["review", "echo"] }), status(403));
  });

  test("write:inputStreams permits sending to that run, and not reading it", async () => {
    const [id, other] = [await run(), await run()];
    const client = holding(await auth.createPublicToken({ scopes: { write: { inputStreams: id } } }));
    assert.equal((await client.sendInputStream(id, "approval", approved)).ok, true);
    await assert.rejects(client.sendInputStream(other, "approval", approved), status(403));
    await assert.rejects(client.sendInputStream("run_unknown", "approval", approved), status(403));
    await assert.rejects(client.retrieveRun(id), status(403));
  });

  test("a scope for one stream permits that stream only, also a trusted one", async () => {
    const id = await run();
    const client = holding(signed(claims([`write:inputStreams:${id}:sealed`])));
    assert.equal((await client.sendInputStream(id, "sealed", "word")).ok, true);
    await assert.rejects(client.sendInputStream(id, "approval", approved), status(403));
    const all = holding(signed(claims([`write:inputStreams:${id}`])));
    await assert.rejects(all.sendInputStream(id, "sealed", "word"), status(403));
  });

  test("a trigger token permits starting that task", async () => {
    const token = await auth.createTriggerPublicToken("echo", { multipleUse: true });
    const { id } = await auth.withAuth({ accessToken: token }, () => tasks.trigger("echo", 5));
    assert.equal((await runs.poll(id, { pollIntervalMs: 50 })).output, 5);
    const elsewhere = holding(token).triggerTask("review", { payload: "a" }, undefined, once);
    await assert.rejects(elsewhere, status(403));
  });

  test("write:runs permits cancelling", async () => {
    const id = await run();
    const client = holding(signed(claims([`write:runs:${id}`])));
    assert.equal((await client.cancelRun(id)).id, id);
    await assert.rejects(client.cancelRun(await run(), once), status(403));
  });

  test("no scopes, and words that are none, permit nothing", async () => {
    const id = await run();
    for (const scopes of [undefined, [], ["read"], ["runs"], ["write:all"], [""], [`read:runs:${id}x`]]) {
      await assert.rejects(holding(signed(claims(scopes))).retrieveRun(id), status(403));
    }
  });
});

describe("the token of a trigger's answer", { concurrency: 4 }, () => {
  test("it permits reading the run, its streams, and sending to it", async () => {
    const handle = await tasks.trigger("review", "a");
    const client = holding(handle.publicAccessToken);
    assert.equal((await client.retrieveRun(handle.id)).id, handle.id);
    assert.equal((await client.sendInputStream(handle.id, "approval", approved)).ok, true);
    await runs.poll(handle.id, { pollIntervalMs: 50 });
    assert.deepEqual(await take(await client.fetchStream(handle.id, "lines"), Infinity), []);
  });

  test("it permits nothing for other runs, and no trusted stream", async () => {
    const handle = await tasks.trigger("review", "a");
    const [client, other] = [holding(handle.publicAccessToken), await run()];
    await assert.rejects(client.retrieveRun(other), status(403));
    await assert.rejects(client.sendInputStream(other, "approval", approved), status(403));
    await assert.rejects(client.sendInputStream(handle.id, "sealed", "x"), status(403));
    await assert.rejects(take(await client.fetchStream(other, "lines"), 1), status(403));
    await runs.cancel(handle.id);
  });
});

describe("false tokens", { concurrency: 4 }, () => {
  test("an expired token is refused, also one that was good before", async () => {
    const id = await run();
    const past = Math.floor(Date.now() / 1000) - 1;
    const token = await auth.createPublicToken({ scopes: { read: { runs: id } }, expirationTime: past });
    await assert.rejects(holding(token).retrieveRun(id), status(401));
    const soon = await auth.createPublicToken({ scopes: { read: { runs: id } }, expirationTime: "3s" });
    assert.equal((await holding(soon).retrieveRun(id)).id, id);
    // Not asked again and again meanwhile: so many requests a minute are a token's limit.
    const { exp } = JSON.parse(Buffer.from(soon.split(".")[1], "base64url").toString());
    await until("its time is over", () => Date.now() > exp * 1000 + 250);
    await assert.rejects(holding(soon).retrieveRun(id), status(401));
  });

  test("a token that another key has signed is refused", async () => {
    const id = await run();
    const token = signed(claims([`read:runs:${id}`]), { secret: `${key}x` });
    await assert.rejects(holding(token).retrieveRun(id), status(401));
  });

  test("a token that was changed after it was signed is refused", async () => {
    const id = await run();
    const [head, , signature] = signed(claims([])).split(".");
    const body = Buffer.from(JSON.stringify(claims(["admin"]))).toString("base64url");
    await assert.rejects(holding(`${head}.${body}.${signature}`).retrieveRun(id), status(401));
  });

  test("other algorithms, and none, are refused", async () => {
    const id = await run();
    for (const alg of ["none", "HS512", "RS256", "hs256"]) {
      const token = signed(claims(["admin"]), { header: { alg } });
      await assert.rejects(holding(token).retrieveRun(id), status(401));
      await assert.rejects(holding(token.replace(/[^.]*$/, "")).retrieveRun(id), status(401));
    }
  });

  test("claims of others are refused", async () => {
    const id = await run();
    const now = Math.floor(Date.now() / 1000);
    for (const changed of [
      { iss: "https://example.com" },
      { aud: "https://example.com" },
      { sub: "prod" },
      { pub: false },
      { exp: undefined },
      { nbf: now + 600 },
    ]) {
      const token = signed(claims(["admin"], changed));
      await assert.rejects(holding(token).retrieveRun(id), status(401), JSON.stringify(changed));
    }
  });

  test("a token is no key to what only a key may do", async () => {
    const id = await run();
    const client = holding(signed(claims(["admin"])));
    assert.equal((await client.retrieveRun(id)).id, id);
    await assert.rejects(client.getRunResult(id), status(401));
    const mint = auth.withAuth({ accessToken: signed(claims(["admin"])) }, () =>
      auth.createPublicToken({ scopes: { read: { runs: id } } }),
    );
    await assert.rejects(mint);
  });

  test("a stream is refused as well, and its reader is told", async () => {
    const id = await run();
    const token = signed(claims([`read:runs:${id}`]), { secret: "other" });
    await assert.rejects(take(await holding(token).fetchStream(id, "lines"), 1), status(401));
  });
});
