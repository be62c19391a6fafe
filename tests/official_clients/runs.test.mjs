// Seeing runs: retrieve, poll, list and their filters, cancel, and how each end looks.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { configure, runs, tasks } from "@trigger.dev/sdk";
import { ApiClient } from "@trigger.dev/core/v3";
import { key, requests, until, url } from "./house.mjs";

configure({ baseURL: url, accessToken: key });
const quickly = { pollIntervalMs: 50 };
const api = new ApiClient(url, key);

describe("one run", { concurrency: 4 }, () => {
  test("a run that waits says so, and then how it ended", async () => {
    const { id } = await tasks.trigger("review", "a draft", { tags: ["t"], ttl: "1h" });
    const waiting = await until("it waits", async () => {
      const run = await runs.retrieve(id);
      return run.isWaiting && run;
    });
    assert.equal(waiting.status, "WAITING");
    assert.equal(waiting.isCompleted, false);
    assert.equal(waiting.payload, "a draft");
    assert.equal(waiting.output, undefined);
    assert.equal(waiting.finishedAt, undefined);
    assert.equal(waiting.ttl, "1h");
    assert.equal(waiting.attemptCount, 1);
    assert.ok(waiting.createdAt instanceof Date && waiting.startedAt >= waiting.createdAt);
    await api.sendInputStream(id, "approval", { approved: true, reviewer: "ann" });
    const run = await runs.poll(id, quickly);
    assert.equal(run.output, "a draft is published by ann");
    assert.ok(run.isSuccess && run.isCompleted && !run.isFailed && !run.isCancelled);
    assert.ok(run.finishedAt >= run.startedAt);
    assert.ok(run.durationMs >= 0);
  });

  test("the events of a run tell what has become of it", async () => {
    const { id } = await tasks.trigger("review", "told");
    const told = async () => (await api.listRunEvents(id)).events;
    const standing = await until("it waits", async () => {
      const events = await told();
      return events.at(-1).event === "waiting" && events;
    });
    assert.deepEqual(standing.map((one) => one.event), ["created", "started", "waiting"]);
    assert.equal(standing.at(-1).stream, "approval");
    await runs.cancel(id);
    await runs.poll(id, quickly);
    assert.deepEqual((await told()).map((one) => one.event), ["created", "started", "canceled"]);
    await assert.rejects(api.listRunEvents("run_nobody"), { status: 404 });
  });

  test("a run that fails says with what", async () => {
    const { id } = await tasks.trigger("fail", "no paper");
    const run = await runs.poll(id, quickly);
    assert.equal(run.status, "FAILED");
    assert.ok(run.isFailed && run.isCompleted && !run.isSuccess);
    assert.equal(run.error.name, "ValueError");
    assert.equal(run.error.message, "no paper");
    assert.match(run.error.stackTrace, /jobs\.py/);
    assert.equal(run.output, undefined);
  });

  test("a run that is cancelled is over, has not failed, and may be cancelled again", async () => {
    const { id } = await tasks.trigger("review", "b");
    assert.deepEqual(await runs.cancel(id), { id });
    const run = await runs.poll(id, quickly);
    assert.equal(run.status, "CANCELED");
    assert.ok(run.isCompleted && run.isCancelled && !run.isFailed && !run.isSuccess);
    assert.deepEqual(await runs.cancel(id), { id });
  });

  test("the result of a run is there once it has ended", async () => {
    const { id } = await tasks.trigger("review", "c");
    assert.equal(await api.getRunResult(id), undefined);
    await api.sendInputStream(id, "approval", { approved: false, reviewer: "bob" });
    await runs.poll(id, quickly);
    const result = await api.getRunResult(id);
    assert.equal(result.ok, true);
    assert.equal(JSON.parse(result.output), "c is rejected by bob");
  });

  test("the result of a run that failed is its error", async () => {
    const { id } = await tasks.trigger("fail", "twice");
    await runs.poll(id, quickly);
    const result = await api.getRunResult(id);
    assert.equal(result.ok, false);
    assert.equal(result.error.type, "BUILT_IN_ERROR");
    assert.equal(result.error.message, "twice");
  });

  test("an unknown run is not found, and is not asked for again", async () => {
    const count = await requests(async (address) => {
      const client = new ApiClient(address, key);
      await assert.rejects(client.retrieveRun("run_unknown"), (error) => error.status === 404);
      await assert.rejects(client.cancelRun("run_unknown"), (error) => error.status === 404);
    });
    assert.equal(count, 2);
  });
});

describe("lists", { concurrency: 4 }, () => {
  test("pages hold all runs, newest first, whatever their size", async () => {
    const tag = randomUUID();
    const ids = [];
    for (let number = 0; number < 7; number++) {
      ids.push((await tasks.trigger("echo", number, { tags: [tag] })).id);
    }
    const found = [];
    for await (const run of runs.list({ tag, limit: 3 })) found.push(run.id);
    assert.deepEqual(found, ids.toReversed());
    const first = await runs.list({ tag, limit: 3 });
    assert.equal(first.data.length, 3);
    const second = await first.getNextPage();
    assert.deepEqual(second.data.map((run) => run.id), ids.toReversed().slice(3, 6));
    assert.deepEqual((await second.getPreviousPage()).data, first.data);
  });

  test("filters are by status, task and tag", async () => {
    const [tag, other] = [randomUUID(), randomUUID()];
    const good = await tasks.trigger("echo", 1, { tags: [tag] });
    const bad = await tasks.trigger("fail", "x", { tags: [tag, other] });
    await runs.poll(good.id, quickly);
    await runs.poll(bad.id, quickly);
    const listed = async (query) => (await runs.list(query)).data.map((run) => run.id);
    assert.deepEqual(await listed({ tag, status: "COMPLETED" }), [good.id]);
    assert.deepEqual(await listed({ tag, status: ["FAILED", "CRASHED"] }), [bad.id]);
    assert.deepEqual(await listed({ tag, taskIdentifier: "echo" }), [good.id]);
    assert.deepEqual(await listed({ tag: [other] }), [bad.id]);
    assert.deepEqual(await listed({ tag: randomUUID() }), []);
  });

  test("what is listed has what is needed to show it", async () => {
    const tag = randomUUID();
    const { id } = await tasks.trigger("echo", 1, { tags: [tag] });
    const [run] = (await runs.list({ tag })).data;
    assert.equal(run.id, id);
    assert.equal(run.taskIdentifier, "echo");
    assert.equal(run.env.name, "dev");
    assert.ok(run.createdAt instanceof Date);
    assert.equal(run.payload, undefined);
  });

  test("a page of 101 is refused", async () => {
    const asked = runs.list({ limit: 101 }, { retry: { maxAttempts: 1 } });
    await assert.rejects(Promise.resolve(asked), (error) => error.status === 400);
  });
});
