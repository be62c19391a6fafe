// Runs that are changed from outside: replayed, rescheduled, tagged, described; keys and tokens.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { auth, configure, idempotencyKeys, runs, tasks } from "@trigger.dev/sdk";
import { ApiClient } from "@trigger.dev/core/v3";
import { cutting, key, requests, settled, url } from "./house.mjs";

configure({ baseURL: url, accessToken: key });
const quickly = { pollIntervalMs: 50 };
const once = { retry: { maxAttempts: 1 } };
const api = new ApiClient(url, key);
const status = (wanted) => (error) => {
  assert.equal(error.status, wanted, String(error));
  return true;
};
const ended = (id) => runs.poll(id, quickly);
const delayed = async () => (await tasks.trigger("echo", 1, { delay: "1h" })).id;

describe("replays", { concurrency: 4 }, () => {
  test("a replay is another run with the same payload and tags", async () => {
    const first = await tasks.trigger("echo", { at: new Date(0) }, { tags: ["a"] });
    const { id } = await runs.replay(first.id);
    assert.notEqual(id, first.id);
    const run = await ended(id);
    assert.deepEqual([run.output, run.tags], [{ at: "1970-01-01T00:00:00.000Z" }, ["a"]]);
  });

  test("a replay differs in what is said", async () => {
    const first = await tasks.trigger("echo", 1, { tags: ["a"], metadata: { n: 1 } });
    const options = { payload: { at: new Date(0) }, tags: ["b"], metadata: { n: 2 }, delay: "1s" };
    const { id } = await runs.replay(first.id, options);
    assert.equal((await runs.retrieve(id)).status, "DELAYED");
    const run = await ended(id);
    assert.deepEqual(run.output, { at: "1970-01-01T00:00:00.000Z" });
    assert.deepEqual([run.tags, run.metadata], [["b"], { n: 2 }]);
  });

  test("a replay whose answer is lost is made once", async () => {
    const tag = randomUUID();
    const first = await tasks.trigger("echo", 1, { tags: tag });
    const proxy = await cutting({ answers: 2 });
    const { id } = await new ApiClient(proxy.url, key).replayRun(first.id).finally(proxy.close);
    assert.equal(proxy.heads.length, 3);
    const found = (await runs.list({ tag })).data.map((run) => run.id);
    assert.deepEqual(found, [id, first.id]);
  });

  test("what cannot be replayed is refused", async () => {
    await assert.rejects(runs.replay("run_unknown", once), status(404));
    const { id } = await tasks.trigger("order", { item: "tea" });
    await assert.rejects(runs.replay(id, { payload: { item: 5 } }, once), status(422));
    await assert.rejects(runs.replay(id, { delay: "soon" }, once), status(400));
  });
});

describe("another time", { concurrency: 4 }, () => {
  test("a delayed run begins when it is told to", async () => {
    const id = await delayed();
    const moment = new Date(Date.now() + 7_200_000);
    assert.equal((await runs.reschedule(id, { delay: moment })).delayedUntil.getTime(), +moment);
    assert.equal((await runs.reschedule(id, { delay: "1s" })).status, "DELAYED");
    assert.equal((await ended(id)).output, 1);
  });

  test("a run that has begun, and a bad time, are refused at once", async () => {
    const { id } = await tasks.trigger("echo", 1);
    await ended(id);
    await assert.rejects(runs.reschedule(id, { delay: "1h" }), status(400));
    await assert.rejects(runs.reschedule(await delayed(), { delay: "soon" }), status(400));
    await assert.rejects(runs.reschedule("run_unknown", { delay: "1h" }), status(404));
  });
});

describe("tags and metadata", { concurrency: 4 }, () => {
  test("tags are added, and found", async () => {
    const id = await delayed();
    const tag = randomUUID();
    assert.ok((await api.addTags(id, { tags: [tag, "b"] })).message);
    await api.addTags(id, { tags: "b" });
    assert.deepEqual((await runs.retrieve(id)).tags, [tag, "b"].toSorted());
    assert.deepEqual((await runs.list({ tag })).data.map((run) => run.id), [id]);
  });

  test("tags over ten are all refused", async () => {
    const id = await delayed();
    await api.addTags(id, { tags: Array.from({ length: 9 }, (_, n) => `t${n}`) });
    await assert.rejects(api.addTags(id, { tags: ["x", "y"] }, once), status(422));
    assert.equal((await runs.retrieve(id)).tags.length, 9);
    await assert.rejects(api.addTags("run_unknown", { tags: "x" }, once), status(404));
  });

  test("metadata is replaced and edited by every operation", async () => {
    const id = await delayed();
    assert.deepEqual(await api.getRunMetadata(id), { metadata: {} });
    await api.updateRunMetadata(id, { metadata: { list: [1], gone: true, n: 1 } });
    const operations = [
      { type: "set", key: "$.deep.er", value: "x" },
      { type: "append", key: "list", value: 2 },
      { type: "remove", key: "list", value: 1 },
      { type: "increment", key: "n", value: 2.5 },
      { type: "delete", key: "gone" },
    ];
    const edited = { list: [2], n: 3.5, deep: { er: "x" } };
    assert.deepEqual((await api.updateRunMetadata(id, { operations })).metadata, edited);
    assert.deepEqual((await runs.retrieve(id)).metadata, edited);
    const update = [{ type: "update", value: { all: "new" } }];
    assert.deepEqual((await api.updateRunMetadata(id, { operations: update })).metadata, { all: "new" });
  });

  test("an operation whose answers are lost counts once", async () => {
    const id = await delayed();
    const operations = [{ type: "increment", key: "n", value: 1 }];
    const proxy = await cutting({ answers: 2 });
    await new ApiClient(proxy.url, key).updateRunMetadata(id, { operations }).finally(proxy.close);
    assert.deepEqual((await api.getRunMetadata(id)).metadata, { n: 1 });
  });

  test("of many at once each operation counts", async () => {
    const id = await delayed();
    const operations = [{ type: "increment", key: "n", value: 1 }];
    await Promise.all(Array.from({ length: 20 }, () => api.updateRunMetadata(id, { operations })));
    assert.deepEqual((await api.getRunMetadata(id)).metadata, { n: 20 });
  });

  test("an operation that cannot be done changes nothing", async () => {
    const id = await delayed();
    for (const [operation, wanted] of [
      [{ type: "set", key: "__proto__", value: 1 }, 400],
      [{ type: "set", key: "big", value: "x".repeat(262_145) }, 413],
    ]) {
      const operations = [{ type: "set", key: "a", value: 1 }, operation];
      await assert.rejects(api.updateRunMetadata(id, { operations }, once), status(wanted));
    }
    assert.deepEqual((await api.getRunMetadata(id)).metadata, {});
    await assert.rejects(api.updateRunMetadata("run_unknown", { metadata: {} }, once), status(404));
  });
});

describe("idempotency keys", { concurrency: 4 }, () => {
  test("a key that was reset starts another run", async () => {
    const name = randomUUID();
    const idempotencyKey = await idempotencyKeys.create(name, { scope: "global" });
    const first = await tasks.trigger("echo", 1, { idempotencyKey });
    assert.equal((await runs.retrieve(first.id)).idempotencyKey, name);
    assert.ok((await idempotencyKeys.reset("echo", idempotencyKey)).id);
    const second = await tasks.trigger("echo", 1, { idempotencyKey });
    assert.deepEqual([second.id === first.id, second.isCached], [false, false]);
    await idempotencyKeys.reset("echo", name, { scope: "global" });
    assert.notEqual((await tasks.trigger("echo", 1, { idempotencyKey })).id, second.id);
  });

  test("a key that nobody used is not found, and is not asked for again", async () => {
    const idempotencyKey = await idempotencyKeys.create(randomUUID(), { scope: "global" });
    await assert.rejects(idempotencyKeys.reset("echo", idempotencyKey), status(404));
    const count = await requests(async (baseURL) => {
      const client = new ApiClient(baseURL, key);
      await assert.rejects(client.resetIdempotencyKey("echo", "k".repeat(64)), status(404));
    });
    assert.equal(count, 1);
  });
});

// Those of one second that claim the same are one and the same token: each ends at another time.
describe("single-use tokens", { concurrency: 4 }, () => {
  test("a trigger token starts one run of its task, ever", async () => {
    const token = await auth.createTriggerPublicToken("echo", { expirationTime: "1h" });
    const client = new ApiClient(url, token);
    const order = { payload: "1", options: { payloadType: "application/json" } };
    await assert.rejects(client.triggerTask("spell", order, {}, once), status(403));
    const { id } = await client.triggerTask("echo", order);
    assert.equal((await ended(id)).output, 1);
    await assert.rejects(client.triggerTask("echo", order, {}, once), (error) => {
      assert.match(error.message, /already been used/);
      return status(422)(error);
    });
  });

  test("of many uses at once one counts", async () => {
    const token = await auth.createTriggerPublicToken("echo");
    const order = { payload: "1", options: { payloadType: "application/json" } };
    const client = new ApiClient(url, token);
    const all = Array.from({ length: 10 }, () => client.triggerTask("echo", order, {}, once));
    const { good, bad } = await settled(all);
    assert.deepEqual([good.length, new Set(bad.map((error) => error.status))], [1, new Set([422])]);
  });

  test("a use whose answers are lost is one use", async () => {
    const token = await auth.createTriggerPublicToken("echo", { expirationTime: "61m" });
    const proxy = await cutting({ answers: 2 });
    const order = { payload: "1", options: { payloadType: "application/json" } };
    const { id } = await new ApiClient(proxy.url, token)
      .triggerTask("echo", order)
      .finally(proxy.close);
    assert.equal(proxy.heads.length, 3);
    assert.equal((await ended(id)).output, 1);
  });

  test("what a trigger token does not show, the token of its run does not either", async () => {
    const realtime = { skipColumns: ["payload"] };
    const token = await auth.createTriggerPublicToken("echo", { realtime, multipleUse: true });
    const options = { clientConfig: { baseURL: url, accessToken: token } };
    const handle = await tasks.trigger("echo", "hidden", {}, options);
    const claims = JSON.parse(Buffer.from(handle.publicAccessToken.split(".")[1], "base64url"));
    assert.deepEqual(claims.realtime, realtime);
    await auth.withAuth({ accessToken: handle.publicAccessToken }, async () => {
      for await (const run of runs.subscribeToRun(handle.id)) {
        assert.equal(run.payload, undefined);
      }
    });
    assert.equal((await ended(handle.id)).output, "hidden");
  });
});
