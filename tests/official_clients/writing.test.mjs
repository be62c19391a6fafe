// Writing to output streams of runs from outside, as the clients do inside their tasks.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { ApiClient } from "@trigger.dev/core/v3";
import { StandardRealtimeStreamsManager } from "@trigger.dev/core/v3/workers";
import { claims, cutting, key, settled, signed, take, until, url } from "./house.mjs";

const api = new ApiClient(url, key);
const upTo = (end, from = 0) => Array.from({ length: end - from }, (_, number) => from + number);
const status = (wanted) => (error) => {
  assert.equal(error.status, wanted, String(error));
  return true;
};

/** A run that waits, so that it can be written to; `end` lets it end. */
async function open() {
  const { id } = await api.triggerTask("write", {});
  return { id, end: () => api.sendInputStream(id, "go", 0) };
}

/** What stands in a stream of a run that has ended. */
async function written(run, stream) {
  await run.end();
  return take(await api.fetchStream(run.id, stream), Infinity);
}

const streamsAt = (base) => new StandardRealtimeStreamsManager(new ApiClient(base, key), base);

/** Give values one after another, each when the one before has been asked for. */
async function* slowly(values, pause) {
  for (const value of values) {
    yield value;
    await pause?.(value);
  }
}

describe("pipes", { concurrency: 6 }, () => {
  test("what is piped is read in its order, while it is piped and afterwards", async () => {
    const run = await open();
    const values = [{ a: 1 }, "text", 0, null, [true], "\u2028é😀\n"];
    const reading = take(await api.fetchStream(run.id, "ai"), values.length);
    const piped = streamsAt(url).pipe("ai", slowly(values), { target: run.id });
    assert.deepEqual(await take(piped.stream, Infinity), values);
    await piped.wait();
    assert.deepEqual(await reading, values);
    assert.deepEqual(await written(run, "ai"), values);
  });

  test("each value is read as soon as it is piped", async () => {
    const run = await open();
    const reader = (await api.fetchStream(run.id, "ai"))[Symbol.asyncIterator]();
    const seen = [];
    const piped = streamsAt(url).pipe(
      "ai",
      slowly(upTo(4), async () => seen.push((await reader.next()).value)),
      { target: run.id },
    );
    await piped.wait();
    assert.deepEqual(seen, upTo(4));
    await run.end();
  });

  test("ten thousand values are all there", async () => {
    const run = await open();
    await streamsAt(url).pipe("many", slowly(upTo(10_000)), { target: run.id }).wait();
    assert.deepEqual(await written(run, "many"), upTo(10_000));
  });

  test("several writers of one stream lose nothing of each other, and keep their order", async () => {
    const run = await open();
    const writers = ["a", "b", "c", "d"].map((name) =>
      streamsAt(url)
        .pipe("all", slowly(upTo(100).map((number) => [name, number])), { target: run.id })
        .wait(),
    );
    await Promise.all(writers);
    const all = await written(run, "all");
    assert.equal(all.length, 400);
    for (const name of ["a", "b", "c", "d"]) {
      assert.deepEqual(all.filter((one) => one[0] === name).map((one) => one[1]), upTo(100));
    }
  });

  test("a pipe whose connection breaks goes on, and writes each value once", async () => {
    const [run, proxy] = [await open(), await cutting()];
    const reader = (await api.fetchStream(run.id, "ai"))[Symbol.asyncIterator]();
    const cut = async (number) => {
      await reader.next();
      if (number === 4) proxy.cut();
    };
    await streamsAt(proxy.url).pipe("ai", slowly(upTo(10), cut), { target: run.id }).wait();
    const lines = proxy.heads.map((head) => head.line.split(" ")[0]);
    assert.deepEqual(lines, ["PUT", "POST", "HEAD", "POST"]);
    assert.match(proxy.heads[3].fields, /x-resume-from-chunk: 5/);
    assert.deepEqual(await written(run, "ai"), upTo(10));
    await proxy.close();
  });

  test("a pipe whose last answer is lost writes nothing twice", async () => {
    const [run, proxy] = [await open(), await cutting()];
    const manager = streamsAt(proxy.url);
    const lose = async (number) => void (number === 2 && proxy.lose({ answers: 1 }));
    await manager.pipe("ai", slowly(upTo(3), lose), { target: run.id }).wait();
    assert.deepEqual(await written(run, "ai"), upTo(3));
    await proxy.close();
  });
});

describe("parts", { concurrency: 6 }, () => {
  test("a text that is appended is read as a text", async () => {
    const run = await open();
    const manager = streamsAt(url);
    for (const text of ["one", '{"two": 2}', "é\n\"3\""]) await manager.append("log", text, { target: run.id });
    assert.deepEqual(await written(run, "log"), ["one", '{"two": 2}', "é\n\"3\""]);
  });

  test("a part whose answers are lost is there once", async () => {
    const [run, proxy] = [await open(), await cutting({ answers: 2 })];
    await streamsAt(proxy.url).append("log", "one", { target: run.id });
    assert.equal(proxy.heads.length, 3);
    await streamsAt(url).append("log", "one", { target: run.id });
    assert.deepEqual(await written(run, "log"), ["one", "one"]);
    await proxy.close();
  });

  test("a part of over half a MiB is refused", async () => {
    const run = await open();
    const sent = api.appendToStream(run.id, "self", "log", "x".repeat(524_289));
    await assert.rejects(sent, status(413));
    await run.end();
  });
});

describe("refusals", { concurrency: 6 }, () => {
  test("a run that has ended cannot be written to", async () => {
    const run = await open();
    await run.end();
    await until("it has ended", async () => (await api.retrieveRun(run.id)).isCompleted);
    await assert.rejects(api.createStream(run.id, "self", "ai"), status(400));
    await assert.rejects(api.appendToStream(run.id, "self", "ai", "late"), status(400));
    const { bad } = await settled([streamsAt(url).pipe("ai", slowly([1]), { target: run.id }).wait()]);
    assert.equal(bad[0].status, 400);
  });

  test("an unknown run, and the parent of a run that has none, are not found", async () => {
    const run = await open();
    await assert.rejects(api.createStream("run_unknown", "self", "ai"), status(404));
    await assert.rejects(api.createStream(run.id, "parent", "ai"), status(404));
    await assert.rejects(api.createStream(run.id, "root", "ai"), status(404));
    await assert.rejects(api.createStream(run.id, "elsewhere", "ai"), status(404));
    await run.end();
  });

  test("a public token writes nothing, whatever it permits", async () => {
    const run = await open();
    const client = new ApiClient(url, signed(claims(["admin"])));
    await assert.rejects(client.createStream(run.id, "self", "ai"), status(401));
    await assert.rejects(client.appendToStream(run.id, "self", "ai", "x"), status(401));
    assert.deepEqual(await written(run, "ai"), []);
  });

  test("a value that does not fit a stream that a task declares ends the pipe, not what was before", async () => {
    const run = await open();
    const values = [{ n: 0, text: "good" }, { n: "one" }];
    const piped = streamsAt(url).pipe("lines", slowly(values), { target: run.id });
    const { bad } = await settled([piped.wait()]);
    assert.match(String(bad[0]), /422/);
    assert.deepEqual(await written(run, "lines"), [values[0]]);
  });
});
