// What every test needs: where the server is, its key, a proxy that cuts, and patience.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import net from "node:net";

export const url = process.env.HEADRACE_URL;
export const key = process.env.HEADRACE_SECRET_KEY;
export const env = "dev";

/** Kill, stop or start: `act("server/kill")`. */
export async function act(what) {
  const answer = await fetch(`${process.env.HEADRACE_TEST_CONTROLS}/${what}`, { method: "POST" });
  assert.equal(answer.status, 200, what);
}

/** Wait until `found()` gives something. */
export async function until(what, found, patience = 20_000) {
  const end = Date.now() + patience;
  while (Date.now() < end) {
    const value = await found();
    if (value) return value;
    await new Promise((done) => setTimeout(done, 25));
  }
  throw new Error(`waited in vain until ${what}`);
}

/** Read so many parts of a stream, then let go of it. */
export async function take(stream, count) {
  const parts = [];
  if (count === 0) return parts;
  for await (const part of stream) {
    parts.push(part);
    if (parts.length === count) break;
  }
  return parts;
}

/** Sign a token by hand, also one that the clients would not sign. */
export function signed(claims, { secret = key, header = { alg: "HS256" } } = {}) {
  const text = [header, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

/** Claims that are good, but for what is changed. */
export function claims(scopes, changed = {}) {
  const now = Math.floor(Date.now() / 1000);
  return {
    sub: env,
    pub: true,
    scopes,
    iss: "https://id.trigger.dev",
    aud: "https://api.trigger.dev",
    iat: now,
    exp: now + 600,
    ...changed,
  };
}

/**
 * A way to the server that loses things: the first `requests` before they get there, then the
 * first `answers` on their way back, after the server has acted. `cut()` breaks what is open.
 */
export async function cutting({ requests = 0, answers = 0 } = {}) {
  const { hostname, port } = new URL(url);
  const open = new Set();
  const state = { requests, answers, heads: [] };
  const listener = net.createServer((client) => {
    const server = net.connect(Number(port), hostname);
    const both = [client, server];
    const end = () => both.forEach((socket) => socket.destroy());
    open.add(end);
    for (const socket of both) socket.on("error", end).on("close", end);
    client.on("close", () => open.delete(end));
    client.on("data", (data) => {
      const head = /^(\S+ \S+) HTTP\/1\.1\r\n([^]*?)\r\n\r\n/.exec(data.toString("latin1"));
      if (head) state.heads.push({ line: head[1], fields: head[2].toLowerCase() });
      if (head && state.requests > 0) return void (state.requests--, end());
      server.write(data);
    });
    server.on("data", (data) => {
      if (state.answers > 0) return void (state.answers--, end());
      client.write(data);
    });
  });
  await new Promise((listening) => listener.listen(0, "127.0.0.1", listening));
  return {
    url: `http://127.0.0.1:${listener.address().port}`,
    heads: state.heads,
    lose: (more) => Object.assign(state, more),
    cut: () => open.forEach((end) => end()),
    close: () => new Promise((closed) => (open.forEach((end) => end()), listener.close(closed))),
  };
}

/** Count the requests that come of something, which is given the address to ask at. */
export async function requests(deed) {
  const proxy = await cutting();
  await deed(proxy.url).finally(proxy.close);
  return proxy.heads.length;
}

/** Count what came of many promises. */
export async function settled(promises) {
  const all = await Promise.allSettled(promises);
  return {
    good: all.filter((one) => one.status === "fulfilled").map((one) => one.value),
    bad: all.filter((one) => one.status === "rejected").map((one) => one.reason),
  };
}
