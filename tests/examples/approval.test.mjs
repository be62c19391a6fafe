// examples/approval-react, clicked through.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { after, describe, test } from "node:test";
import { act, claims, key, signed, until } from "../official_clients/house.mjs";
import * as house from "./house.mjs";
import { claimsOf, exceeds, grows, held, hold, opened, secondWindow, shot, untilRun } from "./house.mjs";

const HELD = "approval-react";
const paper = (page) => page.getByRole("article", { name: "Draft" });
const told = (page, text) => page.getByRole("status").filter({ hasText: text });
const state = (page, status) => page.getByTestId("status").filter({ hasText: status });
const approve = (page) => page.getByRole("button", { name: "Approve" });
const kept = (place, id) => `${house.folder}/${place}/${id}.md`;

/** A release with many figures: its draft takes its time. */
const LONG = ["A long list", "", Array.from({ length: 80 }, (_, n) => `They count ${n + 1} metres.`).join(" ")].join("\n");

async function started(page, release) {
  if (release) await page.getByLabel("Press release").fill(release);
  await page.getByRole("button", { name: "Draft it" }).click();
  await paper(page).waitFor();
  return (await held(page, HELD)).run;
}

/** What a person reads, without the layout: to be compared with a file, or another window. */
async function words(page) {
  const shown = await paper(page).locator("h2, p:not(.stamp), li").allInnerTexts();
  return shown.join(" ").split(/\s+/).join(" ").trim();
}

const written = (file) => readFileSync(file, "utf8").replace(/^# |^- /gm, "").split(/\s+/).join(" ").trim();

after(() => house.browser.close());

describe("approval", { concurrency: 3 }, () => {
  test("a draft streams in, waits for a person, and is published when she approves", async (t) => {
    const page = await opened(t);
    await page.getByRole("button", { name: "Draft it" }).waitFor();
    await shot(page, "approval-1-start");
    const id = await started(page);
    await grows(paper(page));
    await shot(page, "approval-2-draft");
    await state(page, "EXECUTING").waitFor();
    await told(page, "sleeps until you decide").waitFor();
    await state(page, "WAITING").waitFor();
    await shot(page, "approval-3-review");
    assert.equal(await words(page), written(kept("drafts", id)));
    await page.getByLabel("Your name").fill("Alice");
    await approve(page).click();
    await told(page, "Published, approved by Alice.").waitFor();
    await state(page, "COMPLETED").waitFor();
    await shot(page, "approval-4-published");
    assert.match(readFileSync(kept("published", id), "utf8"), /Approved by Alice\.\n$/);
    assert.equal(await approve(page).count(), 0);
    assert.deepEqual(page.errors, []);
    await page.getByRole("button", { name: "Next release" }).click();
    await page.getByRole("button", { name: "Draft it" }).waitFor();
  });

  test("what is rejected stays a draft, with the note of who has rejected it", async (t) => {
    const page = await opened(t, { colorScheme: "dark" });
    const id = await started(page);
    await approve(page).waitFor();
    await page.getByLabel("Your name").fill("Bob");
    await page.getByLabel("Note").fill("61 years, or 62?");
    await page.getByRole("button", { name: "Reject" }).click();
    await told(page, "Rejected by Bob.").waitFor();
    await page.getByText("61 years, or 62?").waitFor();
    await shot(page, "approval-5-rejected-dark");
    assert.ok(existsSync(kept("drafts", id)));
    assert.ok(!existsSync(kept("published", id)));
    assert.deepEqual((await house.run(id)).output.status, "rejected");
    assert.deepEqual(page.errors, []);
  });

  test("it can be done with the keyboard alone", async (t) => {
    const page = await opened(t);
    const focused = (name) => page.locator("button:focus").filter({ hasText: name }).waitFor();
    await page.getByLabel("Press release").focus();
    await page.keyboard.press("Tab");
    await focused("Draft it");
    await page.keyboard.press("Enter");
    await approve(page).waitFor();
    await page.keyboard.press("Tab");
    await page.keyboard.type("Ann");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await focused("Approve");
    await page.keyboard.press("Enter");
    await told(page, "Published, approved by Ann.").waitFor();
    await page.locator("[role=status]:focus").waitFor();
  });

  test("who approves without a name is asked for it, and nothing is sent", async (t) => {
    const page = await opened(t);
    const id = await started(page);
    await approve(page).click();
    await page.locator("#reviewer:invalid:focus").waitFor();
    assert.ok((await house.run(id)).isWaiting);
    assert.deepEqual((await house.run(id)).unread, {});
  });

  test("a page that is loaded again goes on where it was", async (t) => {
    const page = await opened(t);
    const id = await started(page, LONG);
    const before = await grows(paper(page));
    await page.reload();
    await exceeds(paper(page), before);
    await approve(page).waitFor();
    assert.equal(await words(page), written(kept("drafts", id)));
    await page.reload();
    await page.getByLabel("Your name").fill("Alice");
    assert.equal(await words(page), written(kept("drafts", id)));
    await approve(page).click();
    await told(page, "Published").waitFor();
    await page.reload();
    await told(page, "Published, approved by Alice.").waitFor();
    assert.equal(await words(page), written(kept("drafts", id)));
    assert.equal(page.url(), `${house.site}/`);
  });

  test("two windows on the same run show the same", async (t) => {
    const page = await opened(t);
    await started(page, LONG);
    const other = await secondWindow(page);
    await grows(paper(other));
    for (const each of [page, other]) await approve(each).waitFor();
    assert.equal(await words(other), await words(page));
    await other.getByLabel("Your name").fill("Zoe");
    await approve(other).click();
    for (const each of [page, other]) await told(each, "Published, approved by Zoe.").waitFor();
    assert.equal(await words(other), await words(page));
  });

  test("an expired token is told, and one can start again", async (t) => {
    const page = await opened(t);
    const run = await started(page);
    await approve(page).waitFor();
    const now = Math.floor(Date.now() / 1000);
    const token = claims([`read:runs:${run}`, `write:inputStreams:${run}`], { iat: now - 900, exp: now - 60 });
    await hold(page, HELD, { ...(await held(page, HELD)), accessToken: signed(token) });
    await page.getByRole("alert").filter({ hasText: /The token of this page has expired[^{]*Public Access Token has expired/ }).waitFor();
    await shot(page, "approval-6-expired");
    assert.equal(await approve(page).count(), 0);
    await page.getByRole("button", { name: "Start again" }).click();
    await page.getByRole("button", { name: "Draft it" }).waitFor();
    assert.equal(await held(page, HELD), null);
  });

  test("a token that may read, but not send, is told when it is used", async (t) => {
    const page = await opened(t);
    const run = await started(page);
    await approve(page).waitFor();
    await hold(page, HELD, { ...(await held(page, HELD)), accessToken: signed(claims([`read:runs:${run}`])) });
    await page.getByLabel("Your name").fill("Eve");
    await approve(page).click();
    await page.getByRole("alert").filter({ hasText: "may not do this" }).waitFor();
    assert.ok((await house.run(run)).isWaiting);
  });

  test("a token of another run is told", async (t) => {
    const [page, other] = [await opened(t), await opened(t)];
    await started(page);
    await started(other);
    const { accessToken } = await held(other, HELD);
    await hold(page, HELD, { ...(await held(page, HELD)), accessToken });
    await page.getByRole("alert").filter({ hasText: "may not do this" }).waitFor();
  });

  test("the page never holds the secret key, and its tokens permit one run only", async (t) => {
    const page = await opened(t);
    const { accessToken } = await page.evaluate(async () => (await fetch("/api/access", { method: "POST" })).json());
    const { scopes, uses, exp, iat } = claimsOf(accessToken);
    assert.deepEqual({ scopes, uses }, { scopes: ["trigger:tasks:publish-release"], uses: 1 });
    assert.ok(exp - iat <= 900);
    const id = await started(page);
    await page.getByLabel("Your name").fill("Alice");
    await approve(page).click();
    await told(page, "Published").waitFor();
    const mine = claimsOf((await held(page, HELD)).accessToken).scopes;
    assert.ok(mine.length > 0 && mine.every((scope) => scope.endsWith(`:${id}`)), mine);
    assert.ok(await house.isSeen(page, accessToken));
    assert.ok(!(await house.isSeen(page, key)));
    assert.ok(!house.addresses(page).some((address) => address.includes("eyJ")));
  });
});

test("a page recovers when the server is killed while the draft is written", async (t) => {
  const page = await opened(t);
  const id = await started(page, LONG);
  await grows(paper(page));
  await act("server/kill");
  await act("server/start");
  await grows(paper(page));
  await approve(page).waitFor();
  await until("the draft is whole", async () => (await words(page)) === written(kept("drafts", id)));
  await page.getByLabel("Your name").fill("Alice");
  await approve(page).click();
  await told(page, "Published, approved by Alice.").waitFor();
});

test("what is approved while the server is away is published when it is back", async (t) => {
  const page = await opened(t);
  const id = await started(page);
  await page.getByLabel("Your name").fill("Alice");
  await untilRun(id, "it waits", (run) => run.isWaiting);
  await act("server/kill");
  const failed = page.waitForEvent("requestfailed", (request) => request.url().includes("/input/approval"));
  await approve(page).click();
  await failed;
  await act("server/start");
  await told(page, "Published, approved by Alice.").waitFor();
  assert.match(readFileSync(kept("published", id), "utf8"), /Approved by Alice\.\n$/);
});

test("a worker that is killed while the draft is written leaves nothing out and nothing twice", async (t) => {
  const page = await opened(t);
  const id = await started(page, LONG);
  await grows(paper(page));
  await act("worker/kill");
  await act("worker/start");
  await grows(paper(page));
  await approve(page).waitFor();
  assert.equal(await words(page), written(kept("drafts", id)));
});
