// Starting runs: every kind of payload, every option that there is today, and what is refused.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { configure, idempotencyKeys, runs, tasks } from "@trigger.dev/sdk";
import { key, requests, settled, url } from "./house.mjs";

configure({ baseURL: url, accessToken: key });
const quickly = { pollIntervalMs: 50 };
const once = { retry: { maxAttempts: 1 } };

/** Start `echo` with `sent`; it must return `got`. */
async function arrives(sent, got = sent) {
  const { id } = await tasks.trigger("echo", sent);
  const run = await runs.poll(id, quickly);
  assert.equal(run.status, "COMPLETED");
  assert.deepEqual(run.output, got);
  assert.deepEqual(run.payload ?? null, got);
}

/** Start `spell` with `sent`; Python must write it as `got`. */
async function spelt(sent, got) {
  const { id } = await tasks.trigger("spell", sent);
  assert.equal((await runs.poll(id, quickly)).output, got);
}

describe("payloads", { concurrency: 4 }, () => {
  test("an object arrives as it is", () => arrives({ a: 1, b: [true, null, "é\u2028😀"], c: {} }));
  test("a list arrives as it is", () => arrives([1, [2, [3]], []]));
  test("a text arrives as it is, whatever it looks like", () => arrives('{"not": "an object"}'));
  test("a number arrives as it is", () => arrives(-1.5e-7));
  test("false arrives as it is", () => arrives(false));
  test("null arrives as it is", () => arrives(null));
  test("no payload arrives as none", () => spelt(undefined, "None"));
  test("a date arrives as its ISO text", () =>
    arrives({ at: new Date(86_400_000) }, { at: "1970-01-02T00:00:00.000Z" }));
  test("a set arrives as a list", () => arrives({ of: new Set([1, "b"]) }, { of: [1, "b"] }));
  test("a map arrives as an object", () =>
    arrives({ by: new Map([["k", { n: 1 }]]) }, { by: { k: { n: 1 } } }));
  test("a URL arrives as its text", () =>
    arrives({ to: new URL("https://example.com/a?b=c") }, { to: "https://example.com/a?b=c" }));
  test("a bigint arrives exactly", () => spelt({ n: 2n ** 70n + 1n }, `{'n': ${2n ** 70n + 1n}}`));
  test("a member that is undefined does not arrive", () =>
    arrives({ here: 1, gone: undefined }, { here: 1 }));
  test("a payload of nearly 128 KiB arrives", () => arrives({ text: "x".repeat(130_000) }));
});

describe("options", { concurrency: 4 }, () => {
  test("the answer names the run, and carries a token for it", async () => {
    const handle = await tasks.trigger("order", { item: "tea", count: 2 });
    assert.match(handle.id, /^run_[a-z0-9]+$/);
    assert.equal(handle.isCached, false);
    assert.equal(handle.publicAccessToken.split(".").length, 3);
    assert.equal((await runs.poll(handle, quickly)).output, "2 x tea");
  });

  test("tags and metadata are those that were given", async () => {
    const { id } = await tasks.trigger("echo", 1, { tags: ["user:7", "b"], metadata: { k: [1] } });
    const run = await runs.retrieve(id);
    assert.deepEqual(run.tags.toSorted(), ["b", "user:7"]);
    assert.deepEqual(run.metadata, { k: [1] });
  });

  test("a delay as a duration or a date keeps the run from starting", async () => {
    const moment = new Date(Date.now() + 3_600_000);
    for (const delay of ["1h", moment]) {
      const { id } = await tasks.trigger("slow-to-start", undefined, { delay });
      const run = await runs.retrieve(id);
      assert.equal(run.status, "DELAYED");
      assert.ok(Math.abs(run.delayedUntil - moment) < 30_000);
      assert.equal(run.isQueued, true);
      await runs.cancel(id);
    }
  });

  test("a short delay passes, and the run starts by itself", async () => {
    const { id } = await tasks.trigger("slow-to-start", undefined, { delay: "1s" });
    assert.equal((await runs.poll(id, quickly)).output, "done");
  });

  test("the same idempotency key gives the same run", async () => {
    const idempotencyKey = await idempotencyKeys.create(randomUUID(), { scope: "global" });
    const first = await tasks.trigger("echo", 1, { idempotencyKey });
    const second = await tasks.trigger("echo", 2, { idempotencyKey });
    assert.deepEqual([first.isCached, second.isCached], [false, true]);
    assert.equal(second.id, first.id);
    const other = await tasks.trigger("spell", 1, { idempotencyKey });
    assert.equal(other.isCached, false, "the key is the task's own");
  });

  test("an idempotency key ends with its time to live", async () => {
    const options = { idempotencyKey: randomUUID(), idempotencyKeyTTL: "2s" };
    const first = await tasks.trigger("echo", 1, options);
    assert.equal((await tasks.trigger("echo", 1, options)).id, first.id);
    await new Promise((passed) => setTimeout(passed, 2_100));
    assert.notEqual((await tasks.trigger("echo", 1, options)).id, first.id);
  });

  test("twenty at once under one key are one run", async () => {
    const options = { idempotencyKey: randomUUID() };
    const all = Array.from({ length: 20 }, () => tasks.trigger("echo", 1, options));
    const { good, bad } = await settled(all);
    assert.deepEqual(bad, []);
    assert.equal(new Set(good.map((handle) => handle.id)).size, 1);
    assert.equal(good.filter((handle) => !handle.isCached).length, 1);
  });
});

describe("refusals", { concurrency: 4 }, () => {
  test("an unknown task is not found, and is not asked for again", async () => {
    const count = await requests(async (baseURL) => {
      const requestOptions = { clientConfig: { baseURL, accessToken: key } };
      const refused = tasks.trigger("no-such-task", {}, {}, requestOptions);
      await assert.rejects(refused, { name: "TriggerApiError", status: 404 });
    });
    assert.equal(count, 1);
  });

  test("a payload that does not fit its type is refused, with the place", async () => {
    const refused = tasks.trigger("order", { item: "tea", count: "two" });
    await assert.rejects(refused, (error) => {
      assert.equal(error.status, 422);
      assert.match(error.message, /\/count/);
      return true;
    });
  });

  test("too many tags, and bad delays, are refused", async () => {
    const many = Array.from({ length: 11 }, (_, number) => `tag-${number}`);
    for (const options of [{ tags: many }, { delay: "5 minutes" }, { delay: "-1s" }]) {
      const { bad } = await settled([tasks.trigger("echo", 1, options, once)]);
      assert.ok([400, 422].includes(bad[0]?.status), `${JSON.stringify(options)}: ${bad[0]}`);
    }
  });

  test("metadata over 256 KiB is refused", async () => {
    const metadata = { text: "x".repeat(262_144) };
    await assert.rejects(tasks.trigger("echo", 1, { metadata }, once), (error) => error.status === 413);
  });

  test("a wrong key is unauthorized", async () => {
    const requestOptions = { ...once, clientConfig: { baseURL: url, accessToken: "tr_dev_wrong" } };
    await assert.rejects(tasks.trigger("echo", 1, {}, requestOptions), (error) => error.status === 401);
  });
});
