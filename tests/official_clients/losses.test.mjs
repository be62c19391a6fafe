// A network that loses things: the clients try again, nothing is lost, nothing happens twice.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { ApiClient } from "@trigger.dev/core/v3";
import { cutting, key, until, url } from "./house.mjs";

const api = new ApiClient(url, key);
const ended = (id) =>
  until("it has ended", async () => {
    const run = await api.retrieveRun(id);
    return run.isCompleted && run;
  });
const trigger = (client, task, payload, options = {}) =>
  client.triggerTask(task, {
    payload: JSON.stringify(payload),
    options: { payloadType: "application/json", ...options },
  });
const keyOf = (head) => /x-trigger-request-idempotency-key: (\S+)/.exec(head.fields)?.[1];

/** Do something through a network that loses; say what came of it and what went over it. */
async function through(losses, deed) {
  const proxy = await cutting(losses);
  try {
    return { got: await deed(new ApiClient(proxy.url, key)), heads: proxy.heads };
  } finally {
    await proxy.close();
  }
}

describe("losses", { concurrency: 6 }, () => {
  test("a trigger whose answers are lost starts one run", async () => {
    const tag = randomUUID();
    const { got, heads } = await through({ answers: 2 }, (client) =>
      trigger(client, "echo", 1, { tags: [tag] }),
    );
    assert.equal(heads.length, 3);
    assert.equal(new Set(heads.map(keyOf)).size, 1);
    assert.ok(keyOf(heads[0]));
    assert.equal(got.isCached ?? false, false);
    const page = await api.listRuns({ tag });
    assert.deepEqual(page.data.map((run) => run.id), [got.id]);
  });

  test("a trigger that never got there is tried again", async () => {
    const { got, heads } = await through({ requests: 1 }, (client) => trigger(client, "echo", 7));
    assert.equal(heads.length, 2);
    assert.equal((await ended(got.id)).output, 7);
  });

  test("a send whose answers are lost arrives once", async () => {
    const { id } = await trigger(api, "collect", 3);
    const { heads } = await through({ answers: 2 }, (client) => client.sendInputStream(id, "notes", "a"));
    assert.equal(heads.length, 3);
    assert.equal(new Set(heads.map(keyOf)).size, 1);
    await api.sendInputStream(id, "notes", "b");
    await api.sendInputStream(id, "notes", "c");
    assert.deepEqual((await ended(id)).output, ["a", "b", "c"]);
  });

  test("many sends through a network that loses arrive, each once", async () => {
    const count = 30;
    const { id } = await trigger(api, "collect", count);
    const all = Array.from({ length: count }, (_, number) => number);
    const { heads } = await through({ answers: 10 }, (client) =>
      Promise.all(all.map((number) => client.sendInputStream(id, "notes", number))),
    );
    assert.ok(heads.length >= count + 10);
    const { output } = await ended(id);
    assert.deepEqual(output.toSorted((a, b) => a - b), all);
  });

  test("a cancel whose answer is lost is a cancel", async () => {
    const { id } = await trigger(api, "review", "a");
    const { got } = await through({ answers: 1 }, (client) => client.cancelRun(id));
    assert.equal(got.id, id);
    assert.equal((await ended(id)).status, "CANCELED");
  });

  test("a reader goes on where it was when its connection breaks", async () => {
    const { id } = await trigger(api, "write", undefined);
    const proxy = await cutting();
    const reader = (await new ApiClient(proxy.url, key).fetchStream(id, "lines"))[Symbol.asyncIterator]();
    const seen = [];
    for (let round = 0; round < 3; round++) {
      await api.sendInputStream(id, "go", 4);
      for (let count = 0; count < 4; count++) seen.push((await reader.next()).value.n);
      proxy.cut();
    }
    await api.sendInputStream(id, "go", 0);
    assert.equal((await reader.next()).done, true);
    assert.deepEqual(seen, Array.from({ length: 12 }, (_, number) => number));
    const lasts = proxy.heads.map((head) => /last-event-id: (\S+)/.exec(head.fields)?.[1]);
    assert.deepEqual(lasts, [undefined, "3", "7", "11"]);
    await proxy.close();
  });
});
