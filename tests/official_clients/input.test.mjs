// Sending to runs: from many at once, before and while they listen, and what the door refuses.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { configure, runs, streams, tasks } from "@trigger.dev/sdk";
import { ApiClient, SSEStreamSubscription } from "@trigger.dev/core/v3";
import { StandardInputStreamManager } from "@trigger.dev/core/v3/workers";
import { key, requests, settled, take, until, url } from "./house.mjs";

configure({ baseURL: url, accessToken: key });
const quickly = { pollIntervalMs: 50 };
const once = { requestOptions: { retry: { maxAttempts: 1 } } };
const approval = streams.input({ id: "approval" });
const notes = streams.input({ id: "notes" });

const waits = (id) => until("it waits", async () => (await runs.retrieve(id)).isWaiting);

/** Read an input stream as the clients read it inside a task. */
async function tail(run, stream, headers = {}, options = {}) {
  const signal = AbortSignal.timeout(20_000);
  const address = `${url}/realtime/v1/streams/${run}/input/${stream}`;
  const all = { Authorization: `Bearer ${key}`, ...headers };
  return new SSEStreamSubscription(address, { headers: all, signal, ...options }).subscribe();
}

describe("sends", { concurrency: 4 }, () => {
  test("an answer lets a run go on", async () => {
    const { id } = await tasks.trigger("review", "a");
    await waits(id);
    await approval.send(id, { approved: true, reviewer: "ann" });
    assert.equal((await runs.poll(id, quickly)).output, "a is published by ann");
  });

  test("what is sent before the run starts, or listens, is kept for it", async () => {
    const { id } = await tasks.trigger("collect", 2, { delay: "3s" });
    assert.equal((await runs.retrieve(id)).status, "DELAYED");
    await notes.send(id, "first");
    await notes.send(id, "second");
    assert.deepEqual((await runs.poll(id, quickly)).output, ["first", "second"]);
  });

  test("values of every kind arrive as they are, and undefined as null", async () => {
    const values = [{ a: [1, null] }, "text", 0, false, null, undefined, "\u2028\"\\", 1e21];
    const { id } = await tasks.trigger("collect", values.length);
    for (const value of values) await notes.send(id, value);
    const wanted = values.map((value) => value ?? null);
    assert.deepEqual((await runs.poll(id, quickly)).output, wanted);
  });

  test("200 at once from many senders arrive, each once", async () => {
    const all = Array.from({ length: 200 }, (_, number) => number);
    const { id } = await tasks.trigger("collect", all.length);
    const { bad } = await settled(all.map((number) => notes.send(id, number)));
    assert.deepEqual(bad, []);
    const { output } = await runs.poll(id, quickly);
    assert.deepEqual(output.toSorted((a, b) => a - b), all);
  });

  test("what one sender sends one after another arrives in that order", async () => {
    const { id } = await tasks.trigger("collect", 40);
    const send = async (from) => {
      for (let number = 0; number < 20; number++) await notes.send(id, [from, number]);
    };
    await Promise.all([send("a"), send("b")]);
    const { output } = await runs.poll(id, quickly);
    for (const from of ["a", "b"]) {
      const numbers = output.filter((note) => note[0] === from).map((note) => note[1]);
      assert.deepEqual(numbers, Array.from({ length: 20 }, (_, number) => number));
    }
  });

  test("a message of a whole MiB arrives, one byte more is too large", async () => {
    const { id } = await tasks.trigger("measure");
    const most = 1_048_576 - 2; // two quotes
    await assert.rejects(notes.send(id, "x".repeat(most + 1), once), (error) => error.status === 413);
    await notes.send(id, "x".repeat(most));
    assert.equal((await runs.poll(id, quickly)).output, most);
  });
});

describe("refusals", { concurrency: 4 }, () => {
  test("a value that does not fit is refused once, with the place, and nothing is stored", async () => {
    const { id } = await tasks.trigger("review", "a");
    const bad = { approved: "yes", reviewer: "ann" };
    const count = await requests(async (address) => {
      const sent = new ApiClient(address, key).sendInputStream(id, "approval", bad);
      await assert.rejects(sent, (error) => {
        assert.equal(error.status, 422);
        assert.match(error.message, /\/approved/);
        return true;
      });
    });
    assert.equal(count, 1);
    await waits(id);
    await approval.send(id, { approved: false, reviewer: "bob" });
    assert.equal((await runs.poll(id, quickly)).output, "a is rejected by bob");
  });

  test("a run that has ended takes nothing more", async () => {
    const { id } = await tasks.trigger("echo", 1);
    await runs.poll(id, quickly);
    await assert.rejects(notes.send(id, 1), (error) => error.status === 400);
  });

  test("a cancelled run takes nothing more", async () => {
    const { id } = await tasks.trigger("review", "a");
    await runs.cancel(id);
    await runs.poll(id, quickly);
    const late = approval.send(id, { approved: true, reviewer: "ann" });
    await assert.rejects(late, (error) => error.status === 400);
  });

  test("an unknown run, and an unknown stream, are not found, nor asked for again", async () => {
    const { id } = await tasks.trigger("review", "a");
    const count = await requests(async (address) => {
      const client = new ApiClient(address, key);
      const missing = (error) => error.status === 404;
      await assert.rejects(client.sendInputStream("run_unknown", "notes", 1), missing);
      await assert.rejects(client.sendInputStream(id, "no-such-stream", 1), missing);
    });
    assert.equal(count, 2);
    await runs.cancel(id);
  });
});

describe("tails", { concurrency: 4 }, () => {
  test("a tail has what was sent, in order, and ends with the run", async () => {
    const { id } = await tasks.trigger("collect", 3);
    await notes.send(id, "a");
    const reader = (async () => take(await tail(id, "notes"), Infinity))();
    await notes.send(id, { b: 1 });
    await notes.send(id, null);
    const parts = await reader;
    assert.deepEqual(parts.map((part) => part.chunk), ["a", { b: 1 }, null]);
    assert.deepEqual(parts.map((part) => part.id), ["0", "1", "2"]);
    assert.ok(parts.every((part) => part.timestamp > 1.7e12));
  });

  test("a tail goes on behind the last record that its reader has", async () => {
    const { id } = await tasks.trigger("collect", 3);
    for (const note of ["a", "b", "c"]) await notes.send(id, note);
    const parts = await take(await tail(id, "notes", {}, { lastEventId: "0" }), 2);
    assert.deepEqual(parts.map((part) => part.chunk), ["b", "c"]);
  });

  test("a tail of a stream that nobody wrote to is open and empty", async () => {
    const { id } = await tasks.trigger("collect", 1);
    const stream = await tail(id, "notes");
    const reader = stream.getReader();
    const first = reader.read();
    const silence = new Promise((passed) => setTimeout(passed, 200, "silence"));
    assert.equal(await Promise.race([first, silence]), "silence");
    await notes.send(id, "at last");
    assert.equal((await first).value.chunk, "at last");
    await reader.cancel();
  });

  test("the clients' own listener hears each note once, in order", async () => {
    const { id } = await tasks.trigger("collect", 30);
    const manager = new StandardInputStreamManager(new ApiClient(url, key), url);
    manager.setRunId(id, "v2");
    const first = manager.once("notes", { timeoutMs: 20_000 });
    await notes.send(id, 0);
    assert.deepEqual(await first, { ok: true, output: 0 });
    const heard = [];
    manager.on("notes", (note) => void heard.push(note));
    for (let number = 1; number < 30; number++) await notes.send(id, number);
    await until("all are heard", () => heard.length === 29);
    assert.deepEqual(heard, Array.from({ length: 29 }, (_, number) => number + 1));
    manager.disconnect();
  });

  test("a tail of an unknown run is an error", async () => {
    await assert.rejects(take(await tail("run_unknown", "notes"), 1), (error) => error.status === 404);
  });
});
