// Reading what runs write, while they write and afterwards.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { configure, runs, streams, tasks } from "@trigger.dev/sdk";
import { key, take, url } from "./house.mjs";

configure({ baseURL: url, accessToken: key });
const quickly = { pollIntervalMs: 50 };
const go = streams.input({ id: "go" });
const lines = streams.define({ id: "lines" });
const numbers = (parts) => parts.map((part) => part.n);
const upTo = (end, from = 0) => Array.from({ length: end - from }, (_, number) => from + number);

/** Start a run that has written so many lines; `end` lets it end. */
async function written(...counts) {
  const { id } = await tasks.trigger("write");
  for (const count of counts) await go.send(id, count);
  return { id, more: (count) => go.send(id, count), end: () => go.send(id, 0) };
}

describe("reads", { concurrency: 4 }, () => {
  test("a reader has every line in order, and ends with the run", async () => {
    const run = await written(3);
    const reader = take(await streams.read(run.id, "lines"), Infinity);
    await run.more(2);
    await run.end();
    const parts = await reader;
    assert.deepEqual(numbers(parts), upTo(5));
    assert.equal(parts[4].text, "line 4");
  });

  test("a reader that comes after the end has all of it", async () => {
    const run = await written(250, 0);
    await runs.poll(run.id, quickly);
    assert.deepEqual(numbers(await take(await lines.read(run.id), Infinity)), upTo(250));
  });

  test("lines come while the run still writes", async () => {
    const run = await written(1);
    const stream = (await streams.read(run.id, "lines"))[Symbol.asyncIterator]();
    for (const number of [0, 1, 2]) {
      assert.equal((await stream.next()).value.n, number);
      await run.more(1);
    }
    await run.end();
    assert.equal((await stream.next()).value.n, 3);
    assert.equal((await stream.next()).done, true);
  });

  test("a reader may start at any number", async () => {
    const run = await written(10, 0);
    for (const startIndex of [0, 1, 4, 9, 10]) {
      const stream = await streams.read(run.id, "lines", { startIndex });
      assert.deepEqual(numbers(await take(stream, Infinity)), upTo(10, startIndex));
    }
  });

  test("ten readers have the same", async () => {
    const run = await written(20);
    const reading = upTo(10).map(async () => take(await streams.read(run.id, "lines"), Infinity));
    await run.more(20);
    await run.end();
    for (const parts of await Promise.all(reading)) assert.deepEqual(numbers(parts), upTo(40));
  });

  test("a read ends after so long without a line", async () => {
    const run = await written(1);
    const began = Date.now();
    const parts = await take(await streams.read(run.id, "lines", { timeoutInSeconds: 1 }), Infinity);
    assert.deepEqual(numbers(parts), [0]);
    assert.ok(Date.now() - began >= 950);
    await run.end();
  });

  test("a reader that goes away does not disturb another one", async () => {
    const run = await written(2);
    const controller = new AbortController();
    const gone = await streams.read(run.id, "lines", { signal: controller.signal });
    const stays = take(await streams.read(run.id, "lines"), Infinity);
    await take(gone, 1);
    controller.abort();
    await run.more(2);
    await run.end();
    assert.deepEqual(numbers(await stays), upTo(4));
  });

  test("a stream of an unknown run is an error for its reader", async () => {
    const stream = await streams.read("run_unknown", "lines");
    await assert.rejects(take(stream, 1), (error) => error.status === 404);
  });

  test("a time without lines of 601 s is refused", async () => {
    const run = await written(1);
    const stream = await streams.read(run.id, "lines", { timeoutInSeconds: 601 });
    await assert.rejects(take(stream, 1), (error) => error.status === 400);
    await run.end();
  });
});
