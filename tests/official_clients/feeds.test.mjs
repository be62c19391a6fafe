// Runs as they come and change: the SDK's subscriptions, and the React hooks that stand on them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { JSDOM } from "jsdom";
import { claims, key, signed, until, url } from "./house.mjs";

const dom = new JSDOM("<!doctype html><body></body>", { url: "http://localhost/", pretendToBeVisual: true });
globalThis.window = dom.window;
globalThis.document = dom.window.document;

const { createElement, useEffect } = await import("react");
const { createRoot } = await import("react-dom/client");
const hooks = await import("@trigger.dev/react-hooks");
const { auth, configure, runs, streams, tasks } = await import("@trigger.dev/sdk");

configure({ baseURL: url, accessToken: key });
const approval = streams.input({ id: "approval" });
const yes = { approved: true, reviewer: "ann" };
let count = 0;
const aTag = () => `feed:${process.pid}:${count++}`;

/** Follow until `over(run)`; return every run that was seen. */
async function seen(subscription, over = () => false) {
  const found = [];
  for await (const run of subscription) {
    found.push(run);
    if (over(run, found)) break;
  }
  return found;
}

test("subscribeToRun shows a run until it has ended", async () => {
  const { id } = await tasks.trigger("review", "a", { tags: ['a "quoted\\" tag'], metadata: { step: 1 } });
  let sent;
  const found = await seen(runs.subscribeToRun(id), (run) => {
    if (run.status === "WAITING") sent ??= approval.send(id, yes);
  });
  await sent;
  const last = found.at(-1);
  assert.ok(found.some((run) => run.isWaiting));
  assert.equal(last.status, "COMPLETED");
  assert.equal(last.output, "a is published by ann");
  assert.equal(last.payload, "a");
  assert.deepEqual(last.tags, ['a "quoted\\" tag']);
  assert.deepEqual(last.metadata, { step: 1 });
  assert.ok(last.finishedAt >= last.createdAt && last.createdAt instanceof Date);
  assert.equal(last.isTest, false);
});

test("subscribeToRun shows a run that has ended once", async () => {
  const { id } = await tasks.trigger("review", "a");
  await runs.cancel(id);
  await until("it has ended", async () => (await runs.retrieve(id)).isCompleted);
  const found = await seen(runs.subscribeToRun(id));
  assert.deepEqual(found.map((run) => run.status), ["CANCELED"]);
  assert.ok(found[0].isCancelled);
});

test("subscribeToRun skips the columns that it is told to skip", async () => {
  const { id } = await tasks.trigger("echo", "secret");
  const [run] = (await seen(runs.subscribeToRun(id, { skipColumns: ["payload", "output"] }))).slice(-1);
  assert.deepEqual([run.status, run.payload, run.output], ["COMPLETED", undefined, undefined]);
});

test("a token that hides columns hides them whatever is asked", async () => {
  const { id } = await tasks.trigger("echo", "secret");
  const accessToken = signed(claims([`read:runs:${id}`], { realtime: { skipColumns: ["payload"] } }));
  const [run] = await auth.withAuth({ accessToken }, async () =>
    (await seen(runs.subscribeToRun(id, { skipColumns: ["output"] }))).slice(-1),
  );
  assert.deepEqual([run.payload, run.output], [undefined, "secret"]);
});

test("subscribeToRunsWithTag shows runs with the tag as they come and change", async () => {
  const tag = aTag();
  const [first, other] = [await tasks.trigger("review", "a", { tags: [tag] }), await tasks.trigger("echo", 1)];
  let second;
  const found = await seen(runs.subscribeToRunsWithTag(tag), (run, all) => {
    if (run.id === first.id) second ??= tasks.trigger("echo", "b", { tags: [tag, "more"] });
    return all.some((one) => one.id !== first.id && one.isCompleted);
  });
  assert.equal(found[0].id, first.id);
  assert.deepEqual(new Set(found.map((run) => run.id)), new Set([first.id, (await second).id]));
  assert.ok(!found.some((run) => run.id === other.id));
  await runs.cancel(first.id);
});

test("subscribeToRunsWithTag of several tags shows runs that have them all", async () => {
  const [one, two] = [aTag(), aTag()];
  await tasks.trigger("echo", 1, { tags: [one] });
  const both = await tasks.trigger("echo", 2, { tags: [two, one] });
  const found = await seen(runs.subscribeToRunsWithTag([one, two]), (run) => run.isCompleted);
  assert.deepEqual(new Set(found.map((run) => run.id)), new Set([both.id]));
});

test("withStreams shows the run and what it writes", async () => {
  const { id } = await tasks.trigger("write");
  const go = streams.input({ id: "go" });
  await go.send(id, 2);
  const written = [];
  for await (const part of runs.subscribeToRun(id).withStreams()) {
    if (part.type === "lines") written.push(part.chunk.n);
    if (written.length === 2) break;
  }
  assert.deepEqual(written, [0, 1]);
  await go.send(id, 0);
});

test("a page is held until something changes, and told at once", async () => {
  const { id } = await tasks.trigger("review", "a");
  await until("it waits", async () => (await runs.retrieve(id)).isWaiting);
  const headers = { authorization: `Bearer ${key}` };
  const first = await fetch(`${url}/realtime/v1/runs/${id}?offset=-1`, { headers });
  const place = `handle=${first.headers.get("electric-handle")}&offset=${first.headers.get("electric-offset")}`;
  const answer = fetch(`${url}/realtime/v1/runs/${id}?live=true&${place}`, { headers });
  const early = await Promise.race([answer, new Promise((done) => setTimeout(done, 500, "held"))]);
  assert.equal(early, "held");
  const before = Date.now();
  await runs.cancel(id);
  const [change] = await (await answer).json();
  assert.equal(change.value.friendlyId, id);
  assert.ok(Date.now() - before < 2_000);
});

/** Render a component that shows what a hook gives; `until` waits for what it should give. */
function shown(use) {
  let last;
  const Probe = () => {
    const value = use();
    useEffect(() => void (last = value));
    return null;
  };
  const root = createRoot(document.body.appendChild(document.createElement("div")));
  root.render(createElement(Probe));
  return {
    until: (what, holds) => until(what, () => last !== undefined && holds(last) && last),
    close: () => root.unmount(),
  };
}

test("useRealtimeRun shows a run live with the token of its trigger", async () => {
  const handle = await tasks.trigger("review", "r");
  const page = shown(() => hooks.useRealtimeRun(handle.id, { accessToken: handle.publicAccessToken, baseURL: url }));
  await page.until("it waits", ({ run }) => run?.isWaiting);
  await approval.send(handle.id, yes);
  const { run } = await page.until("it has ended", ({ run }) => run?.isCompleted);
  assert.equal(run.output, "r is published by ann");
  page.close();
});

test("useRealtimeRun shows the error where the token is not for the run", async () => {
  const [handle, other] = [await tasks.trigger("echo", 1), await tasks.trigger("echo", 2)];
  const options = { accessToken: other.publicAccessToken, baseURL: url };
  const page = shown(() => hooks.useRealtimeRun(handle.id, options));
  const { error } = await page.until("there is an error", ({ error }) => error);
  assert.equal(error.status ?? error.cause?.status ?? 403, 403);
  page.close();
});

test("useRealtimeRunsWithTag shows runs as they come with a token for the tag", async () => {
  const tag = aTag();
  const accessToken = await auth.createPublicToken({ scopes: { read: { tags: [tag] } } });
  const page = shown(() => hooks.useRealtimeRunsWithTag(tag, { accessToken, baseURL: url }));
  const one = await tasks.trigger("echo", 1, { tags: [tag] });
  await page.until("one is there", ({ runs }) => runs?.some((run) => run.id === one.id));
  const two = await tasks.trigger("review", "x", { tags: [tag] });
  await page.until("two are there", ({ runs }) => runs?.length === 2);
  await runs.cancel(two.id);
  await page.until("it is cancelled", ({ runs }) => runs?.some((run) => run.isCancelled));
  page.close();
});
