// Waitpoint tokens: made, waited for by Python, completed from JavaScript, by a URL, by a page.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { configure, runs, tasks, wait, WaitpointTimeoutError } from "@trigger.dev/sdk";
import { ApiClient } from "@trigger.dev/core/v3";
import { claims, cutting, key, requests, settled, signed, until, url } from "./house.mjs";

configure({ baseURL: url, accessToken: key });
const once = { retry: { maxAttempts: 1 } };
const api = new ApiClient(url, key);
const holding = (token) => new ApiClient(url, token);
const ended = (handle) => runs.poll(handle.id, { pollIntervalMs: 50 });
const waiting = (handle) =>
  until("the run waits", async () => (await runs.retrieve(handle.id)).isWaiting);
const post = (address, body) => fetch(address, { method: "POST", body });
const status = (wanted) => (error) => {
  assert.equal(error.status, wanted, String(error));
  return true;
};

/** A run that waits for a token. */
async function billed(token) {
  const handle = await tasks.trigger("bill", token.id);
  await waiting(handle);
  return handle;
}

describe("waitpoint tokens", { concurrency: 4 }, () => {
  test("a token shows what it was made with", async () => {
    const before = Date.now() - 1_000;
    const token = await wait.createToken({ timeout: "1h", tags: ["a", "b"] });
    assert.match(token.id, /^waitpoint_\w+$/);
    assert.equal(token.isCached, false);
    assert.ok(token.url.startsWith(`${url}/api/v1/waitpoints/tokens/${token.id}/callback/`));
    const seen = await wait.retrieveToken(token);
    assert.deepEqual(
      [seen.id, seen.url, seen.status, seen.tags, seen.output, seen.error, seen.completedAt],
      [token.id, token.url, "WAITING", ["a", "b"], undefined, undefined, undefined],
    );
    assert.ok(seen.createdAt >= before && seen.createdAt <= Date.now() + 1_000);
    assert.equal(seen.timeoutAt - seen.createdAt, 3_600_000);
    const date = new Date(Date.now() + 7_200_000);
    const until = await wait.retrieveToken(await wait.createToken({ timeout: date }));
    assert.deepEqual(until.timeoutAt, date);
    assert.equal((await wait.retrieveToken(await wait.createToken())).timeoutAt, undefined);
  });

  test("the same idempotency key gives the same token, also when it is completed", async () => {
    const options = { idempotencyKey: randomUUID(), idempotencyKeyTTL: "1h", tags: "keyed" };
    const made = await settled(Array.from({ length: 6 }, () => wait.createToken(options)));
    assert.deepEqual(made.bad, []);
    assert.equal(new Set(made.good.map((token) => token.id)).size, 1);
    assert.equal(made.good.filter((token) => !token.isCached).length, 1);
    await wait.completeToken(made.good[0], 1);
    const again = await wait.createToken(options);
    assert.deepEqual([again.id, again.url, again.isCached], [made.good[0].id, made.good[0].url, true]);
    const seen = await wait.retrieveToken(again);
    assert.equal(seen.idempotencyKey, options.idempotencyKey);
    assert.equal(seen.idempotencyKeyExpiresAt - seen.createdAt, 3_600_000);
    assert.deepEqual([seen.status, seen.output], ["COMPLETED", 1]);
  });

  test("a Python task that waits for a token goes on when it is completed", async () => {
    const token = await wait.createToken({ timeout: "1h" });
    const handle = await billed(token);
    const answer = await wait.completeToken(token, { amount: 3, method: "cash" });
    assert.deepEqual(answer, { success: true });
    assert.equal((await ended(handle)).output, "3 by cash");
    const seen = await wait.retrieveToken(token);
    assert.deepEqual([seen.status, seen.output, seen.error], [
      "COMPLETED", { amount: 3, method: "cash" }, undefined,
    ]); // prettier-ignore
    assert.ok(seen.completedAt >= seen.createdAt);
  });

  test("every run that waits for a token goes on, and who comes later does not wait", async () => {
    const token = await wait.createToken();
    const handles = await Promise.all([1, 2, 3].map(() => billed(token)));
    await wait.completeToken(token.id, { amount: 5 });
    handles.push(await tasks.trigger("bill", token.id));
    for (const handle of handles) assert.equal((await ended(handle)).output, "5 by card");
  });

  test("a Python task makes a token, and JavaScript finds and completes it", async () => {
    const handle = await tasks.trigger("invoice");
    await waiting(handle);
    const { data } = await wait.listTokens({ tags: handle.id });
    assert.deepEqual(data.map((token) => token.status), ["WAITING"]);
    assert.deepEqual(await (await post(data[0].url, '{"amount":1,"method":"gift"}')).json(), {
      success: true,
    });
    assert.equal((await ended(handle)).output, "gift");
  });

  test("of many completions at the same time the first value stays", async () => {
    const token = await wait.createToken();
    const handle = await billed(token);
    const all = [1, 2, 3, 4, 5, 6].map((amount) => wait.completeToken(token, { amount }));
    const callbacks = [7, 8].map(async (amount) =>
      (await post(token.url, JSON.stringify({ amount }))).json(),
    );
    const answers = await Promise.all([...all, ...callbacks]);
    assert.ok(answers.every((answer) => answer.success === true));
    const { output } = await wait.retrieveToken(token);
    assert.equal((await ended(handle)).output, `${output.amount} by card`);
    assert.deepEqual(await wait.completeToken(token, { amount: 9 }), { success: true });
    assert.deepEqual((await wait.retrieveToken(token)).output, output);
  });

  test("a value comes as JSON has it", async () => {
    for (const [given, wanted] of [
      [undefined, undefined], [null, null], [0, 0], [false, false], ["", ""], ["text", "text"],
      [[1, [2]], [1, [2]]], [{ a: { "é\u2028": "😀" } }, { a: { "é\u2028": "😀" } }],
      [{ at: new Date(0), gone: undefined }, { at: "1970-01-01T00:00:00.000Z" }],
    ]) {
      const token = await wait.createToken();
      await wait.completeToken(token, given);
      const seen = await wait.retrieveToken(token);
      assert.deepEqual([seen.status, seen.output], ["COMPLETED", wanted]);
    } // prettier-ignore
  });

  test("a value that the task cannot use fails the run, and says where", async () => {
    const token = await wait.createToken();
    const handle = await billed(token);
    await wait.completeToken(token, { amount: "much" });
    const run = await ended(handle);
    assert.equal(run.status, "FAILED");
    assert.match(run.error.message, /amount/);
  });

  test("a POST to the callback URL completes a token without any key", async () => {
    const token = await wait.createToken();
    const handle = await billed(token);
    const answer = await post(token.url, '{"amount":7,"method":"wire"}');
    assert.deepEqual([answer.status, await answer.json()], [200, { success: true }]);
    assert.equal(answer.headers.get("access-control-allow-origin"), "*");
    assert.equal((await ended(handle)).output, "7 by wire");
    assert.equal((await post(token.url, "1")).status, 200);
    const other = await wait.createToken();
    assert.equal((await post(other.url, "paid=true")).status, 200);
    assert.deepEqual((await wait.retrieveToken(other)).output, {});
  });

  test("a callback URL that is wrong is refused alike, whether or not there is the token", async () => {
    const [token, other] = [await wait.createToken(), await wait.createToken()];
    const hash = token.url.slice(-64);
    assert.match(hash, /^[0-9a-f]{64}$/);
    const refused = [];
    for (const address of [
      token.url.replace(hash, "0".repeat(64)),
      token.url.replace(hash, "z".repeat(64)),
      token.url.slice(0, -1),
      `${token.url}0`,
      token.url.replace(hash, other.url.slice(-64)),
      token.url.replace(token.id, other.id),
      token.url.replace(token.id, "waitpoint_unknown"),
      token.url.replace(token.id, encodeURIComponent("' OR 1=1 --")),
    ]) {
      const answer = await post(address, "1");
      refused.push(`${answer.status} ${await answer.text()}`);
    }
    assert.equal(new Set(refused).size, 1);
    assert.match(refused[0], /^401 .*hash doesn't match/);
    assert.equal((await fetch(token.url)).status, 405);
    for (const one of [token, other]) assert.equal((await wait.retrieveToken(one)).status, "WAITING");
  });

  test("a token that nobody completes in its time has timed out", async () => {
    const token = await wait.createToken({ timeout: "1s" });
    const handle = await tasks.trigger("bill", token.id);
    assert.equal((await ended(handle)).output, "nobody has paid");
    const late = [await wait.completeToken(token, { amount: 1 }), await post(token.url, "1")];
    assert.deepEqual([late[0].success, late[1].status], [true, 200]);
    const seen = await wait.retrieveToken(token);
    assert.equal(seen.status, "TIMED_OUT");
    assert.ok(seen.error instanceof WaitpointTimeoutError);
    assert.equal(seen.output, undefined);
    assert.equal((await ended(await tasks.trigger("bill", token.id))).output, "nobody has paid");
  });

  test("the public token of a token completes that one, and does nothing else", async () => {
    const [token, other] = [await wait.createToken(), await wait.createToken()];
    const handle = await billed(token);
    const client = holding(token.publicAccessToken);
    const value = { data: { amount: 2 } };
    await assert.rejects(client.completeWaitpointToken(other.id, value, once), status(403));
    await assert.rejects(client.completeWaitpointToken("waitpoint_x", value, once), status(403));
    await assert.rejects(client.retrieveWaitpointToken(token.id, once), status(401));
    await assert.rejects(client.listWaitpointTokens({}, once), status(401));
    await assert.rejects(client.createWaitpointToken({}, once), status(401));
    await assert.rejects(client.retrieveRun(handle.id, once), status(403));
    assert.equal((await client.completeWaitpointToken(token.id, value)).success, true);
    assert.equal((await ended(handle)).output, "2 by card");
    assert.equal((await wait.retrieveToken(other)).status, "WAITING");
  });

  test("a token is completed by the right scope only", async () => {
    const token = await wait.createToken();
    const trying = (token, id, attempts = once) =>
      holding(token).completeWaitpointToken(id, { data: 1 }, attempts);
    for (const scope of [
      `read:waitpoints:${token.id}`, "read:waitpoints", `write:runs:${token.id}`, "write:runs",
      `write:inputStreams:${token.id}`, "write:waitpoints:waitpoint_other", "trigger:tasks",
    ])
      await assert.rejects(trying(signed(claims([scope])), token.id), status(403), scope); // prettier-ignore
    const [good, now] = [[`write:waitpoints:${token.id}`], Math.floor(Date.now() / 1000)];
    for (const wrong of [
      signed(claims(good, { exp: now - 1 })),
      signed(claims(good, { sub: "prod" })),
      signed(claims(good), { secret: "tr_dev_another" }),
      signed(claims(good), { header: { alg: "none" } }),
    ])
      await assert.rejects(trying(wrong, token.id), status(401));
    assert.equal((await wait.retrieveToken(token)).status, "WAITING");
    assert.equal((await trying(signed(claims(["write:waitpoints"])), token.id)).success, true);
  });

  test("a token that is not there is asked for once", async () => {
    for (const deed of [
      (client) => client.retrieveWaitpointToken("waitpoint_unknown"),
      (client) => client.completeWaitpointToken("waitpoint_unknown", { data: 1 }),
    ]) {
      const count = await requests((address) =>
        assert.rejects(deed(new ApiClient(address, key)), status(404)),
      );
      assert.equal(count, 1);
    }
    const run = await ended(await tasks.trigger("bill", "waitpoint_unknown"));
    assert.equal(run.status, "FAILED");
    assert.match(run.error.message, /waitpoint_unknown/);
  });

  test("an order for a token that is wrong is refused, and not asked again", async () => {
    for (const [order, wanted] of [
      [{ timeout: "5 minutes" }, 400],
      [{ timeout: "-1s" }, 400],
      [{ idempotencyKey: "k", idempotencyKeyTTL: "soon" }, 400],
      [{ idempotencyKey: "k".repeat(2_049) }, 400],
      [{ tags: Array.from({ length: 11 }, (_, number) => `t${number}`) }, 422],
      [{ tags: ["x".repeat(11_000)] }, 413],
    ]) {
      const count = await requests((address) =>
        assert.rejects(new ApiClient(address, key).createWaitpointToken(order), status(wanted)),
      );
      assert.equal(count, 1, JSON.stringify(order).slice(0, 80));
    }
  });

  test("a value that is too large is refused, and the token still waits", async () => {
    const token = await wait.createToken();
    await assert.rejects(wait.completeToken(token, "x".repeat(3_145_729)), status(413));
    assert.equal((await post(token.url, JSON.stringify("x".repeat(3_145_729)))).status, 413);
    assert.equal((await wait.retrieveToken(token)).status, "WAITING");
  });

  test("tokens are listed by status, tag, key and time, page by page", async () => {
    const [tag, idempotencyKey] = [randomUUID(), randomUUID()];
    const made = [];
    for (let number = 0; number < 5; number++)
      made.unshift((await wait.createToken({ tags: [tag, `n:${number}`] })).id);
    await wait.completeToken(made[0], 1);
    const ids = async (query) => (await wait.listTokens(query)).data.map((token) => token.id);
    const all = [];
    for await (const token of wait.listTokens({ tags: tag, limit: 2 })) all.push(token.id);
    assert.deepEqual(all, made);
    const first = await wait.listTokens({ tags: tag, limit: 2 });
    const second = await first.getNextPage();
    assert.deepEqual(second.data.map((token) => token.id), made.slice(2, 4));
    const back = await second.getPreviousPage();
    assert.deepEqual(back.data.map((token) => token.id), made.slice(0, 2));
    assert.deepEqual(await ids({ tags: tag, status: "COMPLETED" }), [made[0]]);
    assert.deepEqual(await ids({ tags: tag, status: ["WAITING", "TIMED_OUT"] }), made.slice(1));
    assert.deepEqual(await ids({ tags: [tag], period: "1h" }), made);
    assert.deepEqual(await ids({ tags: tag, from: new Date(Date.now() + 60_000) }), []);
    assert.deepEqual(await ids({ tags: tag, to: new Date(Date.now() - 600_000) }), []);
    const keyed = await wait.createToken({ idempotencyKey });
    assert.deepEqual(await ids({ idempotencyKey }), [keyed.id]);
    await assert.rejects(wait.listTokens({ status: "DONE" }), status(400));
  });

  test("a lost answer makes no second token, and no completion is lost", async () => {
    const [proxy, tag] = [await cutting({ answers: 2 }), randomUUID()];
    const client = new ApiClient(proxy.url, key);
    const token = await client.createWaitpointToken({ tags: [tag] });
    assert.equal(proxy.heads.length, 3);
    assert.deepEqual((await wait.listTokens({ tags: tag })).data.map((one) => one.id), [token.id]);
    const handle = await billed(token);
    proxy.lose({ requests: 1, answers: 1 });
    const answer = await client.completeWaitpointToken(token.id, { data: { amount: 4 } });
    assert.equal(answer.success, true);
    assert.equal((await ended(handle)).output, "4 by card");
    await proxy.close();
  });

  test("who cancels a run that waits leaves the token to others", async () => {
    const token = await wait.createToken();
    const [gone, other] = [await billed(token), await billed(token)];
    await runs.cancel(gone.id);
    assert.equal((await ended(gone)).status, "CANCELED");
    await wait.completeToken(token, { amount: 6 });
    assert.equal((await ended(other)).output, "6 by card");
    assert.equal((await runs.retrieve(gone.id)).status, "CANCELED");
  });

  test("a key with write:waitpoints makes and completes tokens, and sees none", async () => {
    const answer = await post(`${url}/api/v1/waitpoints/tokens`, "{}");
    assert.equal(answer.status, 401);
    const { secret } = await (
      await fetch(`${url}/api/headrace/v1/keys`, {
        method: "POST",
        headers: { authorization: `Bearer ${key}` },
        body: JSON.stringify({ name: "completes", scopes: ["write:waitpoints"] }),
      })
    ).json();
    const [client, token] = [holding(secret), await wait.createToken()];
    await assert.rejects(client.retrieveWaitpointToken(token.id, once), status(403));
    await assert.rejects(client.listWaitpointTokens({}, once), status(403));
    const made = await client.createWaitpointToken({});
    for (const { id } of [token, made]) {
      assert.equal((await client.completeWaitpointToken(id, { data: 1 })).success, true);
      assert.equal((await api.retrieveWaitpointToken(id)).status, "COMPLETED");
    }
  });
});
