// Values that are too large to be sent inline: payloads and outputs of up to 10 MiB, both ways.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { auth, configure, runs, tasks } from "@trigger.dev/sdk";
import { ApiClient } from "@trigger.dev/core/v3";
import { cutting, key, settled, url } from "./house.mjs";

configure({ baseURL: url, accessToken: key });
const quickly = { pollIntervalMs: 50 };
const once = { retry: { maxAttempts: 1 } };
const api = new ApiClient(url, key);
const ended = (id) => runs.poll(id, quickly);
const status = (wanted) => (error) => {
  assert.equal(error.status, wanted, String(error));
  return true;
};

describe("large values", { concurrency: 3 }, () => {
  const echoed = async (size) => {
    const sent = { text: "é".repeat(size / 2), at: new Date(0) };
    const { id } = await tasks.trigger("echo", sent);
    const run = await ended(id);
    const got = { text: sent.text, at: "1970-01-01T00:00:00.000Z" };
    assert.equal(run.status, "COMPLETED");
    assert.deepEqual(run.output, got);
    assert.deepEqual(run.payload, got);
  };

  test("a payload of 200 KiB arrives, and is returned", () => echoed(204_800));

  test("a payload of 5 MB arrives, and is returned", () => echoed(5_000_000));

  test("a text of megabytes arrives as it is", async () => {
    const { id } = await tasks.trigger("echo", "x".repeat(3_000_000));
    assert.equal((await ended(id)).output.length, 3_000_000);
  });

  test("the result of a run holds a large output", async () => {
    const { id } = await tasks.trigger("wordy", 1_000_000);
    await ended(id);
    const result = await api.getRunResult(id);
    assert.equal(JSON.parse(result.output).length, 1_000_000);
    assert.equal(result.outputType, "application/json");
  });

  test("a small payload may have a large output, and a subscription shows it", async () => {
    const { id, publicAccessToken } = await tasks.trigger("wordy", 2_000_000);
    let last;
    await auth.withAuth({ accessToken: publicAccessToken }, async () => {
      for await (const run of runs.subscribeToRun(id)) last = run;
    });
    assert.deepEqual([last.payload, last.output.length], [2_000_000, 2_000_000]);
  });

  test("a list shows runs without their large values", async () => {
    const { id } = await tasks.trigger("wordy", 1_000_000, { tags: "large-and-listed" });
    await ended(id);
    const [run] = (await runs.list({ tag: "large-and-listed", limit: 1 })).data;
    assert.deepEqual([run.id, run.output, run.payload], [id, undefined, undefined]);
  });

  test("an upload whose answers are lost is made once more, and the run is one", async () => {
    const proxy = await cutting({ answers: 1 });
    const options = { clientConfig: { baseURL: proxy.url, accessToken: key } };
    const { id } = await tasks
      .trigger("echo", "x".repeat(200_000), {}, options)
      .finally(proxy.close);
    assert.equal((await ended(id)).output.length, 200_000);
  });

  test("what is over ten mebibytes is refused, and what returns it fails", async () => {
    const { bad } = await settled([tasks.trigger("echo", "x".repeat(10_485_761), {}, once)]);
    assert.match(String(bad[0]), /10485760|413|too large/i);
    const { id } = await tasks.trigger("wordy", 10_485_760);
    const run = await ended(id);
    assert.equal(run.status, "FAILED");
    assert.match(run.error.message, /10,485,760/);
  });

  test("a packet that there is not, or no longer, is a bad request", async () => {
    const order = { payload: "trigger/packet_none/payload.json", options: { payloadType: "application/store" } };
    await assert.rejects(api.triggerTask("echo", order, {}, once), status(400));
  });

  test("a run's packets are for whoever may read it", async () => {
    const { id, publicAccessToken } = await tasks.trigger("wordy", 200_000);
    await ended(id);
    const client = new ApiClient(url, publicAccessToken);
    const { presignedUrl } = await client.getRunPacketUrl(id, "output", "unused");
    const answer = await fetch(presignedUrl);
    assert.equal(answer.headers.get("content-type"), "application/json");
    assert.equal((await answer.json()).length, 200_000);
    const other = await tasks.trigger("wordy", 200_000);
    await assert.rejects(client.getRunPacketUrl(other.id, "output", "unused", once), status(403));
    await assert.rejects(client.getPayloadUrl("trigger/packet_1/payload.json", once), status(401));
    await assert.rejects(client.createUploadPayloadUrl("trigger/x/payload.json", once), status(401));
  });
});
