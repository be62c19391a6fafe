// examples/chat, clicked through.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { act, claims, key, signed, url } from "../official_clients/house.mjs";
import * as house from "./house.mjs";
import { claimsOf, exceeds, grows, held, hold, opened, secondWindow, shot, untilRun } from "./house.mjs";

const HELD = "chat";
const turn = (page, number) => page.getByTestId("turn").nth(number);
const answer = (page, number) => turn(page, number).locator(".answer");
const ended = (page, number, how) => page.locator(`[data-testid=turn][data-ended=${how}]`).and(turn(page, number)).waitFor();
const sleeps = (page) => page.getByTestId("state").filter({ hasText: "It sleeps" }).waitFor();
const words = async (page, number) => (await answer(page, number).innerText()).replace("The mill:", "").trim().split(/\s+/);

/** More than 400 words: there is time to do something in the middle of them. */
const EVERYTHING = "Tell me everything about the mill";

async function stopped(page, number) {
  await page.getByRole("button", { name: "Stop" }).click();
  await ended(page, number, "stopped");
}

async function ask(page, question) {
  await page.getByLabel("Your question").fill(question);
  await page.getByRole("button", { name: "Send" }).click();
}

/** Ask the first question; return the run. */
async function begun(page, question) {
  await ask(page, question);
  await turn(page, 0).waitFor();
  return (await held(page, HELD)).run;
}

after(() => house.browser.close());

describe("chat", { concurrency: 3 }, () => {
  test("two questions are answered, and the task sleeps after each", async (t) => {
    const page = await opened(t);
    await shot(page, "chat-1-start");
    await page.getByRole("button", { name: "How heavy is the wheel?" }).click();
    await ended(page, 0, "whole");
    await sleeps(page);
    const { run } = await held(page, HELD);
    await untilRun(run, "it waits", ({ isWaiting, waits }) => isWaiting && waits[0].stream === "questions");
    await page.getByLabel("Your question").fill("Who paid for it?");
    await page.keyboard.press("Enter");
    await ended(page, 1, "whole");
    await sleeps(page);
    assert.match(await answer(page, 0).innerText(), /weighs 8\.4 tonnes/);
    assert.match(await answer(page, 1).innerText(), /412,000 euros/);
    assert.deepEqual(page.errors, []);
  });

  test("stop interrupts the task in the middle of an answer, and the next one is answered", async (t) => {
    const page = await opened(t);
    const run = await begun(page, EVERYTHING);
    await grows(answer(page, 0));
    await stopped(page, 0);
    await page.getByText("You stopped it here.").waitFor();
    await page.locator("#question:focus").waitFor();
    const { metadata } = await untilRun(run, "it waits", ({ isWaiting }) => isWaiting);
    const shown = await words(page, 0);
    assert.deepEqual(metadata.last, { turn: 0, ended: "stopped", words: shown.length });
    assert.ok(shown.length < 100, `${shown.length} words of more than 400`);
    await ask(page, "When is it open?");
    await ended(page, 1, "whole");
    await shot(page, "chat-3-stopped");
    assert.match(await answer(page, 1).innerText(), /open to visitors on Saturdays/);
    const after = await untilRun(run, "it waits again", ({ metadata }) => metadata.last.turn === 1);
    assert.deepEqual(after.metadata.last, { turn: 1, ended: "whole", words: (await words(page, 1)).length });
    assert.deepEqual(await words(page, 0), shown);
    assert.deepEqual(page.errors, []);
  });

  test("Escape stops as well, from a second window, and both show the same", async (t) => {
    const page = await opened(t, { colorScheme: "dark" });
    await begun(page, EVERYTHING);
    const other = await secondWindow(page);
    await grows(answer(other, 0));
    await other.getByTestId("state").filter({ hasText: "It is writing" }).waitFor();
    await shot(other, "chat-2-answers");
    await other.getByLabel("Your question").press("Escape");
    for (const each of [page, other]) await ended(each, 0, "stopped");
    assert.deepEqual(await words(other, 0), await words(page, 0));
    await ask(other, "What about the bread?");
    for (const each of [page, other]) await ended(each, 1, "whole");
    assert.equal(await turn(other, 1).innerText(), await turn(page, 1).innerText());
    assert.match(await turn(page, 1).innerText(), /What about the bread\?[^]*baked for one/);
    await shot(page, "chat-4-dark");
  });

  test("a stop that comes too late does not hit the next answer", async (t) => {
    const page = await opened(t);
    const run = await begun(page, "How long is the headrace?");
    await ended(page, 0, "whole");
    await fetch(`${url}/realtime/v1/streams/${run}/input/stops`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}` },
      body: JSON.stringify({ data: 0 }),
    });
    await ask(page, "Do fish pass?");
    await ended(page, 1, "whole");
    assert.match(await answer(page, 1).innerText(), /ladder of 22 basins/);
  });

  test("what is asked meanwhile is answered next, in its order", async (t) => {
    const page = await opened(t);
    await begun(page, EVERYTHING);
    await grows(answer(page, 0));
    await ask(page, "Do fish pass?");
    await ask(page, "Is there bread?");
    await stopped(page, 0);
    for (const number of [1, 2]) await ended(page, number, "whole");
    assert.match(await turn(page, 1).innerText(), /Do fish pass\?[^]*22 basins/);
    assert.match(await turn(page, 2).innerText(), /Is there bread\?[^]*rye/);
  });

  test("a page that is loaded again in the middle of an answer shows all of it, once", async (t) => {
    const page = await opened(t);
    const run = await begun(page, EVERYTHING);
    const before = await grows(answer(page, 0));
    await page.reload();
    await exceeds(answer(page, 0), before);
    await stopped(page, 0);
    const { metadata } = await untilRun(run, "it waits", ({ isWaiting }) => isWaiting);
    assert.equal((await words(page, 0)).length, metadata.last.words);
    await page.reload();
    await ended(page, 0, "stopped");
    assert.equal((await words(page, 0)).length, metadata.last.words);
    assert.equal(page.url(), `${house.site}/`);
  });

  test("an expired token is told, and one can begin anew", async (t) => {
    const page = await opened(t);
    const run = await begun(page, "How long is the headrace?");
    const now = Math.floor(Date.now() / 1000);
    const token = claims([`read:runs:${run}`], { iat: now - 900, exp: now - 60 });
    await hold(page, HELD, { ...(await held(page, HELD)), accessToken: signed(token) });
    const alert = page.getByRole("alert").filter({ hasText: /The token of this page has expired[^{]*Public Access Token has expired/ });
    await alert.waitFor();
    await page.getByTestId("state").filter({ hasText: "Not connected" }).waitFor();
    await shot(page, "chat-5-expired");
    await alert.getByRole("button", { name: "New chat" }).click();
    await page.getByRole("button", { name: "Who paid for it?" }).waitFor();
  });

  test("the page never holds the secret key, and its token is for its run only", async (t) => {
    const page = await opened(t);
    const run = await begun(page, "How long is the headrace?");
    await grows(answer(page, 0));
    const { accessToken } = await held(page, HELD);
    const { scopes } = claimsOf(accessToken);
    assert.ok(scopes.length > 0 && scopes.every((scope) => scope.endsWith(`:${run}`)), scopes);
    assert.ok(await house.isSeen(page, accessToken));
    assert.ok(!(await house.isSeen(page, key)));
    assert.ok(!house.addresses(page).some((address) => address.includes("eyJ")));
  });

  test("a backend that refuses is told", async (t) => {
    const page = await opened(t);
    await page.route("**/api/chats", (route) => route.fulfill({ status: 503, body: "" }));
    await ask(page, "Anybody there?");
    await page.getByRole("alert").filter({ hasText: "The backend answers 503." }).waitFor();
    await page.unroute("**/api/chats");
    await ask(page, "Who paid for it?");
    await ended(page, 0, "whole");
  });
});

test("an answer goes on when the server is killed in the middle of it", async (t) => {
  const page = await opened(t);
  const run = await begun(page, EVERYTHING);
  await grows(answer(page, 0));
  await act("server/kill");
  await act("server/start");
  await grows(answer(page, 0));
  await stopped(page, 0);
  const { metadata } = await untilRun(run, "it waits", ({ isWaiting }) => isWaiting);
  assert.equal((await words(page, 0)).length, metadata.last.words);
  await ask(page, "Do fish pass?");
  await ended(page, 1, "whole");
});

test("an answer whose worker is killed goes on in the next, with nothing left out and nothing twice", async (t) => {
  const page = await opened(t);
  const run = await begun(page, "How long is the headrace?");
  await ended(page, 0, "whole");
  const first = await turn(page, 0).innerText();
  await ask(page, EVERYTHING);
  const before = await grows(answer(page, 1));
  await act("worker/kill");
  await act("worker/start");
  await grows(answer(page, 1)); // what was there before is not written again
  await stopped(page, 1);
  const { metadata } = await untilRun(run, "it waits", ({ isWaiting }) => isWaiting);
  assert.deepEqual(metadata.last, { turn: 1, ended: "stopped", words: (await words(page, 1)).length });
  assert.ok((await answer(page, 1).innerText()).startsWith(before.trim()));
  assert.equal(await turn(page, 0).innerText(), first);
  await ask(page, "Do fish pass?");
  await ended(page, 2, "whole");
});
