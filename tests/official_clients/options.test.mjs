// What a trigger can be asked for beside its payload: debounce, and what has no effect.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { configure, runs, tasks } from "@trigger.dev/sdk";
import { key, settled, url } from "./house.mjs";

configure({ baseURL: url, accessToken: key });
const quickly = { pollIntervalMs: 50 };
const once = { retry: { maxAttempts: 1 } };

describe("debounce", { concurrency: 4 }, () => {
  test("triggers under a debounce key are one run with what came first", async () => {
    const debounce = { key: randomUUID(), delay: "2s" };
    const first = await tasks.trigger("echo", "one", { debounce });
    const before = await runs.retrieve(first.id);
    assert.equal(before.status, "DELAYED");
    await new Promise((passed) => setTimeout(passed, 1_000));
    const second = await tasks.trigger("echo", "two", { debounce });
    assert.deepEqual([second.id, first.isCached, second.isCached], [first.id, false, true]);
    const after = await runs.retrieve(first.id);
    assert.ok(after.delayedUntil - before.delayedUntil >= 900, "it was put off");
    assert.equal((await runs.poll(first.id, quickly)).output, "one");
    const third = await tasks.trigger("echo", "three", { debounce });
    assert.deepEqual([third.id === first.id, third.isCached], [false, false]);
  });

  test("a trailing debounce takes over what came last", async () => {
    const debounce = { key: randomUUID(), delay: "1s", mode: "trailing" };
    const { id } = await tasks.trigger("echo", { n: 1 }, { debounce, tags: ["a"] });
    const options = { debounce, tags: ["b"], metadata: { m: 2 } };
    assert.equal((await tasks.trigger("echo", { n: 2 }, options)).id, id);
    const run = await runs.poll(id, quickly);
    assert.deepEqual([run.output, run.payload, run.tags], [{ n: 2 }, { n: 2 }, ["b"]]);
    assert.deepEqual(run.metadata, { m: 2 });
  });

  test("a run is not put off beyond its longest delay", async () => {
    const debounce = { key: randomUUID(), delay: "1h", maxDelay: "1h" };
    const first = await tasks.trigger("echo", 1, { debounce });
    await new Promise((passed) => setTimeout(passed, 20));
    const second = await tasks.trigger("echo", 2, { debounce });
    assert.notEqual(second.id, first.id);
    await Promise.all([first, second].map(({ id }) => runs.cancel(id)));
  });

  test("twenty at once under a debounce key are one run", async () => {
    const debounce = { key: randomUUID(), delay: "1h" };
    const all = Array.from({ length: 20 }, (_, n) => tasks.trigger("echo", n, { debounce }));
    const { good, bad } = await settled(all);
    assert.deepEqual(bad, []);
    assert.equal(new Set(good.map((handle) => handle.id)).size, 1);
    assert.equal(good.filter((handle) => !handle.isCached).length, 1);
    await runs.cancel(good[0].id);
  });

  test("a debounce that means nothing is refused, and not asked for again", async () => {
    for (const debounce of [
      { key: "k", delay: "soon" },
      { key: "k", delay: "0s" },
      { key: "", delay: "1s" },
      { key: "k".repeat(513), delay: "1s" },
      { key: "k", delay: "1s", mode: "middle" },
      { key: "k", delay: "1s", maxDelay: "never" },
    ]) {
      const { bad } = await settled([tasks.trigger("echo", 1, { debounce }, once)]);
      assert.equal(bad[0]?.status, 422, JSON.stringify(debounce));
    }
  });
});

describe("what has no effect", { concurrency: 4 }, () => {
  test("queues, machines, versions and the like are accepted", async () => {
    const { id } = await tasks.trigger("echo", 1, {
      queue: "q",
      concurrencyKey: "user:7",
      priority: 5,
      machine: "small-1x",
      region: "eu",
      version: "20260101.1",
      externalDeploymentId: "0123abc",
    });
    assert.equal((await runs.poll(id, quickly)).output, 1);
  });

  test("a machine that there is not is refused", async () => {
    const { bad } = await settled([tasks.trigger("echo", 1, { machine: "huge" }, once)]);
    assert.equal(bad[0]?.status, 400);
  });
});

describe("lists", { concurrency: 4 }, () => {
  test("runs are listed by queue, and none by machine or region", async () => {
    const tag = randomUUID();
    const { id } = await tasks.trigger("echo", 1, { tags: tag });
    const ids = async (filter) => (await runs.list({ tag, ...filter })).data.map((run) => run.id);
    assert.deepEqual(await ids({ queue: { type: "task", name: "echo" } }), [id]);
    assert.deepEqual(await ids({ queue: { type: "task", name: "order" } }), []);
    assert.deepEqual(await ids({ queue: { type: "custom", name: "echo" } }), []);
    assert.deepEqual(await ids({ machine: "micro" }), []);
    assert.deepEqual(await ids({ region: "eu" }), []);
    assert.deepEqual(await ids({ isTest: false, period: "1h" }), [id]);
  });
});
