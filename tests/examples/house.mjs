// What every test of a page needs: a browser, pages in it that notice errors, and the server's own word.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import { key, until, url } from "../official_clients/house.mjs";

export const site = process.env.HEADRACE_TEST_PAGE;
export const folder = process.env.HEADRACE_TEST_FOLDER;
const shots = process.env.HEADRACE_TEST_SHOTS;
const PATIENCE_MS = 20_000;

export const browser = await chromium.launch({
  executablePath: process.env.HEADRACE_TEST_CHROMIUM,
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
});

/**
 * Open a page in a browser profile of its own. `page.errors` is what its console complained of,
 * `page.heard` what it has sent and got.
 */
export async function opened(t, options = {}) {
  const context = await browser.newContext({
    viewport: { width: 1180, height: 820 },
    reducedMotion: "reduce",
    ...options,
  });
  context.setDefaultTimeout(PATIENCE_MS);
  t.after(() => context.close());
  const page = await context.newPage();
  const errors = [];
  page.on("console", (said) => said.type() === "error" && errors.push(said.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  const heard = overheard(page);
  await page.goto(site);
  return Object.assign(page, { errors, heard });
}

/** Open another window as a person does, with the button; it shares what this tab holds. */
export async function secondWindow(page) {
  const opening = page.context().waitForEvent("page");
  await page.getByRole("button", { name: "Second window" }).click();
  return opening;
}

/** What the tab holds: where Headrace is, the run, and the token. */
export function held(page, name) {
  return page.evaluate((name) => JSON.parse(sessionStorage.getItem(name)), name);
}

/** Put something else in its place, and load the page again. */
export async function hold(page, name, value) {
  await page.evaluate(([name, text]) => sessionStorage.setItem(name, text), [name, JSON.stringify(value)]);
  await page.reload();
}

/** The run as the server knows it. */
export async function run(id) {
  const answer = await fetch(`${url}/api/v3/runs/${id}`, {
    headers: { authorization: `Bearer ${key}`, "x-trigger-api-version": "2025-07-16" },
  });
  assert.equal(answer.status, 200);
  return answer.json();
}

/** Wait until the server says so of a run. */
export const untilRun = (id, what, holds) =>
  until(what, async () => {
    const now = await run(id);
    return holds(now) && now;
  });

/** Wait until a locator shows more than it does now; return what it showed. */
export async function grows(locator) {
  await locator.waitFor();
  const before = await locator.innerText();
  await exceeds(locator, before);
  return before;
}

/** Wait until a locator shows more than it did then; it may have come to its end since. */
export async function exceeds(locator, before) {
  await locator.waitFor();
  await until("more is shown", async () => (await locator.innerText()).length > before.length);
}

/** Keep a picture, for whoever wants to look. */
export async function shot(page, name) {
  if (shots) await page.screenshot({ path: `${shots}/${name}.png` });
}

/** Collect what a page sends and gets. */
function overheard(page) {
  const texts = [];
  page.on("request", (request) => {
    texts.push(request.url(), JSON.stringify(request.headers()), request.postData() ?? "");
  });
  page.on("response", async (response) => {
    texts.push(JSON.stringify(response.headers()));
    // Streams are read by the page while they last; what the backend sends is whole.
    if (response.url().startsWith(site)) texts.push(await response.text().catch(() => ""));
  });
  return texts;
}

/** Look for a text in everything that a page has sent, got, and holds. */
export async function isSeen(page, text) {
  const stores = await page.evaluate(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }, document.cookie]));
  return [...page.heard, stores, await page.content(), page.url()].some((one) => one.includes(text));
}

/** The addresses that a page has asked at: histories and logs keep them. */
export const addresses = (page) => page.heard.filter((text) => text.startsWith("http"));

export const claimsOf = (token) => JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString());
