// A server and a worker that are killed: the clients come back, nothing is lost or happens twice.
import assert from "node:assert/strict";
import { test } from "node:test";
import { configure, runs, wait } from "@trigger.dev/sdk";
import { ApiClient } from "@trigger.dev/core/v3";
import { StandardRealtimeStreamsManager } from "@trigger.dev/core/v3/workers";
import { act, key, take, until, url } from "./house.mjs";

configure({ baseURL: url, accessToken: key });
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

test("a send while the server is away arrives when it is back", async () => {
  const { id } = await trigger(api, "review", "a");
  await until("it waits", async () => (await api.retrieveRun(id)).isWaiting);
  await act("server/kill");
  const sending = api.sendInputStream(id, "approval", { approved: true, reviewer: "ann" });
  await act("server/start");
  await sending;
  assert.equal((await ended(id)).output, "a is published by ann");
});

test("a reader goes on where it was when the server is killed and started again", async () => {
  const { id } = await trigger(api, "write", undefined);
  await api.sendInputStream(id, "go", 5);
  const reader = (await api.fetchStream(id, "lines"))[Symbol.asyncIterator]();
  const seen = [];
  for (let count = 0; count < 5; count++) seen.push((await reader.next()).value.n);
  await act("server/kill");
  await act("server/start");
  await api.sendInputStream(id, "go", 5);
  await api.sendInputStream(id, "go", 0);
  for (let part = await reader.next(); !part.done; part = await reader.next()) seen.push(part.value.n);
  assert.deepEqual(seen, Array.from({ length: 10 }, (_, number) => number));
});

test("a reader goes on when the server ends in order and is started again", async () => {
  const { id } = await trigger(api, "write", undefined);
  await api.sendInputStream(id, "go", 2);
  const reader = (await api.fetchStream(id, "lines"))[Symbol.asyncIterator]();
  const seen = [(await reader.next()).value.n, (await reader.next()).value.n];
  await act("server/stop");
  await act("server/start");
  await api.sendInputStream(id, "go", 1);
  await api.sendInputStream(id, "go", 0);
  for (let part = await reader.next(); !part.done; part = await reader.next()) seen.push(part.value.n);
  assert.deepEqual(seen, [0, 1, 2]);
});

test("a worker that is killed loses no message and takes none twice", async () => {
  const { id } = await trigger(api, "collect", 6);
  for (const number of [0, 1, 2]) await api.sendInputStream(id, "notes", number);
  await act("worker/kill");
  for (const number of [3, 4]) await api.sendInputStream(id, "notes", number);
  await act("worker/start");
  await api.sendInputStream(id, "notes", 5);
  assert.deepEqual((await ended(id)).output, [0, 1, 2, 3, 4, 5]);
});

test("a run that no worker starts in time has expired, and polling it ends", async () => {
  await act("worker/kill");
  const { id } = await trigger(api, "echo", 1, { ttl: "1s" });
  const run = await runs.poll(id, { pollIntervalMs: 50 });
  assert.equal(run.status, "EXPIRED");
  assert.ok(run.isCompleted && run.isFailed && !run.isSuccess);
  assert.ok(run.expiredAt instanceof Date);
  await act("worker/start");
});

test("a pipe goes on when the server is killed and started again, and writes each value once", async () => {
  const { id } = await trigger(api, "write", undefined);
  async function* values() {
    for (let number = 0; number < 8; number++) {
      if (number === 4) {
        await act("server/kill");
        await act("server/start");
      }
      yield number;
    }
  }
  await new StandardRealtimeStreamsManager(api, url).pipe("ai", values(), { target: id }).wait();
  await api.sendInputStream(id, "go", 0);
  assert.deepEqual(await take(await api.fetchStream(id, "ai"), Infinity), [0, 1, 2, 3, 4, 5, 6, 7]);
});

test("subscriptions to a run and to a tag go on when the server is killed and started again", async () => {
  const { configure, runs } = await import("@trigger.dev/sdk");
  configure({ baseURL: url, accessToken: key });
  const tag = `restart:${process.pid}`;
  const quiet = [];
  for (let n = 0; n < 3; n++) quiet.push((await trigger(api, "echo", n, { tags: [tag], delay: "1h" })).id);
  const { id } = await trigger(api, "review", "s", { tags: [tag] });
  const told = [];
  const tagged = (async () => {
    for await (const run of runs.subscribeToRunsWithTag(tag)) {
      told.push(run.id);
      if (run.isCompleted) return run;
    }
  })();
  let restarted;
  let last;
  for await (const run of runs.subscribeToRun(id)) {
    last = run;
    if (run.isWaiting)
      restarted ??= (async () => {
        await act("server/kill");
        await act("server/start");
        await api.sendInputStream(id, "approval", { approved: true, reviewer: "ann" });
      })();
  }
  await restarted;
  assert.equal(last.output, "s is published by ann");
  assert.equal((await tagged).output, last.output);
  assert.deepEqual(told.filter((one) => one !== id).sort(), quiet.sort()); // each of them once
});

test("a token is completed while the server is away, and the run that waits goes on", async () => {
  const token = await wait.createToken({ timeout: "1h" });
  const { id } = await trigger(api, "bill", token.id);
  await until("it waits", async () => (await api.retrieveRun(id)).isWaiting);
  await act("server/kill");
  const completing = wait.completeToken(token, { amount: 1 });
  await act("server/start");
  assert.equal((await completing).success, true);
  assert.equal((await ended(id)).output, "1 by card");
});

test("a callback URL and a public token are good for a server that was started again", async () => {
  const [token, other] = [await wait.createToken(), await wait.createToken()];
  const { id } = await trigger(api, "bill", token.id);
  await until("it waits", async () => (await api.retrieveRun(id)).isWaiting);
  await act("server/stop");
  await act("server/start");
  assert.equal((await wait.retrieveToken(token)).url, token.url);
  const body = JSON.stringify({ amount: 2, method: "wire" });
  assert.equal((await fetch(token.url, { method: "POST", body })).status, 200);
  assert.equal((await ended(id)).output, "2 by wire");
  await new ApiClient(url, other.publicAccessToken).completeWaitpointToken(other.id, { data: 3 });
  assert.equal((await wait.retrieveToken(other)).output, 3);
});

test("a token that is completed while no worker is there wakes the run in the next one", async () => {
  const token = await wait.createToken();
  const { id } = await trigger(api, "bill", token.id);
  await until("it waits", async () => (await api.retrieveRun(id)).isWaiting);
  await act("worker/kill");
  await wait.completeToken(token, { amount: 3 });
  await act("worker/start");
  assert.equal((await ended(id)).output, "3 by card");
});
