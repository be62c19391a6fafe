// The React hooks, rendered under jsdom as a page would, with a token that the page was given.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { JSDOM } from "jsdom";
import { key, until, url } from "./house.mjs";

const dom = new JSDOM("<!doctype html><body></body>", { url: "http://localhost/", pretendToBeVisual: true });
globalThis.window = dom.window;
globalThis.document = dom.window.document;
globalThis.IS_REACT_ACT_ENVIRONMENT = false;

const { createElement, useEffect } = await import("react");
const { createRoot } = await import("react-dom/client");
const hooks = await import("@trigger.dev/react-hooks");
const { configure, runs, streams, tasks, auth, wait } = await import("@trigger.dev/sdk");

configure({ baseURL: url, accessToken: key });

/** Render a component that shows what a hook gives; `now()` is what it gave last. */
function shown(use) {
  let last;
  const Probe = () => {
    const value = use();
    useEffect(() => void (last = value));
    return createElement("pre", null, JSON.stringify(value, (_, part) => (part instanceof Error ? `${part}` : part)));
  };
  const place = document.body.appendChild(document.createElement("div"));
  const root = createRoot(place);
  root.render(createElement(Probe));
  return {
    now: () => last,
    text: () => place.textContent,
    until: (what, holds) => until(what, () => last !== undefined && holds(last) && last),
    close: () => root.unmount(),
  };
}

const options = (accessToken) => ({ accessToken, baseURL: url });

/** Do something that leaves rejections to nobody, as this hook does; return them. */
async function alone(deed) {
  const others = process.rawListeners("unhandledRejection");
  const left = [];
  process.removeAllListeners("unhandledRejection").on("unhandledRejection", (error) => left.push(error));
  await deed().finally(() => {
    process.removeAllListeners("unhandledRejection");
    for (const other of others) process.on("unhandledRejection", other);
  });
  return left;
}

describe("hooks", () => {
  test("useRun shows a run, and follows it when it is told to", async () => {
    const handle = await tasks.trigger("review", "a");
    const page = shown(() =>
      hooks.useRun(handle.id, { ...options(handle.publicAccessToken), refreshInterval: 100 }),
    );
    await page.until("it waits", ({ run }) => run?.isWaiting);
    await streams.input({ id: "approval" }).send(handle.id, { approved: true, reviewer: "ann" });
    const { run } = await page.until("it has ended", ({ run }) => run?.isCompleted);
    assert.equal(run.output, "a is published by ann");
    assert.match(page.text(), /a is published by ann/);
    page.close();
  });

  test("useRun shows the error where the token is not for the run", async () => {
    const [handle, other] = [await tasks.trigger("echo", 1), await tasks.trigger("echo", 2)];
    const page = shown(() => hooks.useRun(handle.id, options(other.publicAccessToken)));
    const { error } = await page.until("there is an error", ({ error }) => error);
    assert.equal(error.status, 403);
    page.close();
  });

  test("useInputStreamSend answers a run with the token of its trigger", async () => {
    const handle = await tasks.trigger("review", "b");
    const page = shown(() =>
      hooks.useInputStreamSend("approval", handle.id, options(handle.publicAccessToken)),
    );
    const { send } = await page.until("it is ready", ({ isReady }) => isReady);
    send({ approved: false, reviewer: "bob" });
    const run = await runs.poll(handle.id, { pollIntervalMs: 50 });
    assert.equal(run.output, "b is rejected by bob");
    await page.until("it is done", ({ isLoading }) => !isLoading);
    assert.equal(page.now().error, undefined);
    page.close();
  });

  test("useInputStreamSend shows why a send was refused", async () => {
    const handle = await tasks.trigger("review", "c");
    const page = shown(() =>
      hooks.useInputStreamSend("approval", handle.id, options(handle.publicAccessToken)),
    );
    const { send } = await page.until("it is ready", ({ isReady }) => isReady);
    const left = await alone(async () => {
      send({ approved: "perhaps", reviewer: "bob" });
      const { error } = await page.until("there is an error", ({ error }) => error);
      assert.equal(error.status, 422);
      assert.match(error.message, /\/approved/);
    });
    assert.deepEqual(left.map((error) => error.status), [422]);
    page.close();
    await runs.cancel(handle.id);
  });

  test("useRealtimeStream shows lines as they come", async () => {
    const handle = await tasks.trigger("write");
    const go = streams.input({ id: "go" });
    const page = shown(() =>
      hooks.useRealtimeStream(handle.id, "lines", { ...options(handle.publicAccessToken), throttleInMs: 0 }),
    );
    await go.send(handle.id, 2);
    await page.until("two lines are shown", ({ parts }) => parts?.length === 2);
    await go.send(handle.id, 3);
    const { parts } = await page.until("five lines are shown", ({ parts }) => parts?.length === 5);
    assert.deepEqual(parts.map((part) => part.n), [0, 1, 2, 3, 4]);
    await go.send(handle.id, 0);
    page.close();
  });

  test("useRealtimeStream shows the error where the token is not for the run", async () => {
    const [handle, other] = [await tasks.trigger("echo", 1), await tasks.trigger("echo", 2)];
    const page = shown(() => hooks.useRealtimeStream(handle.id, "lines", options(other.publicAccessToken)));
    const { error } = await page.until("there is an error", ({ error }) => error);
    assert.equal(error.status, 403);
    page.close();
  });

  test("useTaskTrigger starts a run with a trigger token, and gets a token for it", async () => {
    const token = await auth.createTriggerPublicToken("echo", { multipleUse: true });
    const page = shown(() => hooks.useTaskTrigger("echo", options(token)));
    await page.until("it is there", ({ submit }) => submit);
    page.now().submit({ from: "a page" });
    const { handle } = await page.until("it has started", ({ handle }) => handle);
    const run = await runs.poll(handle.id, { pollIntervalMs: 50 });
    assert.deepEqual(run.output, { from: "a page" });
    const seen = shown(() => hooks.useRun(handle.id, options(handle.publicAccessToken)));
    await seen.until("the page sees it", ({ run }) => run?.isCompleted);
    page.close();
    seen.close();
  });

  test("useWaitToken completes a token that a Python task waits for", async () => {
    const token = await wait.createToken({ timeout: "5m" });
    const handle = await tasks.trigger("bill", token.id);
    const page = shown(() => hooks.useWaitToken(token.id, options(token.publicAccessToken)));
    const { complete } = await page.until("it is ready", ({ isReady }) => isReady);
    assert.equal(page.now().isCompleted, false);
    complete({ amount: 8, method: "click" });
    await page.until("it is completed", ({ isCompleted }) => isCompleted);
    assert.equal((await runs.poll(handle.id, { pollIntervalMs: 50 })).output, "8 by click");
    page.close();
  });

  test("useWaitToken shows the error where the public token is another one's", async () => {
    const [token, other] = [await wait.createToken(), await wait.createToken()];
    const page = shown(() => hooks.useWaitToken(token.id, options(other.publicAccessToken)));
    const { complete } = await page.until("it is ready", ({ isReady }) => isReady);
    const left = await alone(async () => {
      complete({ amount: 8 });
      const { error } = await page.until("there is an error", ({ error }) => error);
      assert.equal(error.status, 403);
    });
    assert.deepEqual(left.map((error) => error.status), [403]);
    assert.equal(page.now().isCompleted, false);
    assert.equal((await wait.retrieveToken(token)).status, "WAITING");
    page.close();
  });
});
