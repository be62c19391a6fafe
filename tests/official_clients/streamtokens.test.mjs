// Tokens of streams: what a backend sees of the messages to a run, by the clients' own calls.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { configure, runs, streams, tasks, wait } from "@trigger.dev/sdk";
import { ApiClient } from "@trigger.dev/core/v3";
import { key, requests, url } from "./house.mjs";

configure({ baseURL: url, accessToken: key });
const api = new ApiClient(url, key);
const quickly = { pollIntervalMs: 50 };
const notes = streams.input({ id: "notes" });
const refused = (status, calls) => async (ask) => {
  const asked = await requests((address) =>
    assert.rejects(ask(new ApiClient(address, key)), (error) => error.status === status));
  assert.equal(asked, calls);
};

describe("tokens of streams", { concurrency: 4 }, () => {
  test("a backend sees the next message, and the run takes it", async () => {
    const { id } = await tasks.trigger("collect", 2);
    const { waitpointId, isCached } = await api.createInputStreamWaitpoint(id, {
      streamId: "notes",
      timeout: "1h",
      tags: ["audit"],
    });
    assert.equal(isCached, false);
    assert.equal((await wait.retrieveToken(waitpointId)).status, "WAITING");
    await notes.send(id, { n: 1 });
    await notes.send(id, { n: 2 });
    const seen = await wait.retrieveToken(waitpointId);
    assert.deepEqual([seen.status, seen.output], ["COMPLETED", { n: 1 }]);
    assert.deepEqual((await runs.poll(id, quickly)).output, [{ n: 1 }, { n: 2 }]);
    const next = await api.createInputStreamWaitpoint(id, { streamId: "notes", lastSeqNum: 0 });
    assert.deepEqual((await wait.retrieveToken(next.waitpointId)).output, { n: 2 });
  });

  test("a token of a stream that nobody sends to times out", async () => {
    const { id } = await tasks.trigger("collect", 1, { delay: "1h" });
    const asked = { streamId: "notes", timeout: "0s", idempotencyKey: "late" };
    const made = await api.createInputStreamWaitpoint(id, asked);
    const again = await api.createInputStreamWaitpoint(id, asked);
    assert.deepEqual(again, { ...made, isCached: true });
    assert.equal((await wait.retrieveToken(made.waitpointId)).status, "TIMED_OUT");
    const listed = await wait.listTokens({ idempotencyKey: "late" });
    assert.deepEqual(listed.data.map((one) => [one.id, one.status]), [
      [made.waitpointId, "TIMED_OUT"],
    ]);
    await runs.cancel(id);
  });

  test("what cannot be is said once, and not asked for again", async () => {
    const { id } = await tasks.trigger("collect", 1, { delay: "1h" });
    const made = await api.createInputStreamWaitpoint(id, { streamId: "notes" });
    const tags = Array.from({ length: 11 }, (_, number) => `t${number}`);
    await refused(404, 1)((at) => at.createInputStreamWaitpoint("run_x", { streamId: "notes" }));
    await refused(404, 1)((at) => at.createInputStreamWaitpoint(id, { streamId: "nothing" }));
    await refused(422, 1)((at) => at.createInputStreamWaitpoint(id, { streamId: "notes", tags }));
    await refused(422, 1)((at) => at.completeWaitpointToken(made.waitpointId, { data: 1 }));
    await refused(404, 1)((at) => at.waitForWaitpointToken(
      { runFriendlyId: id, waitpointFriendlyId: made.waitpointId }));
    await refused(404, 1)((at) => at.waitForDuration(id, { date: new Date(Date.now() + 6e5) }));
    await runs.cancel(id);
  });
});
