// Call what docs/howto/javascript.md says is not there; print a line of JSON for each.
import * as sdk from "@trigger.dev/sdk";

const { batch, deployments, envvars, prompts, query, queues, schedules, sessions, streams, tasks, wait } = sdk;
const one = { id: "publish-post", payload: "a" };
const chat = { type: "chat", taskIdentifier: "publish-post", triggerConfig: { basePayload: 1 } };
const calls = {
  "tasks.batchTrigger": () => tasks.batchTrigger("publish-post", [{ payload: "a" }]),
  "batch.trigger": () => batch.trigger([one]),
  "batch.retrieve": () => batch.retrieve("batch_1"),
  "schedules.create": () =>
    schedules.create({ task: "publish-post", cron: "0 0 * * *", deduplicationKey: "a" }),
  "schedules.list": () => schedules.list(),
  "queues.list": () => queues.list(),
  "queues.pause": () => queues.pause("publish-post"),
  "sessions.start": () => sessions.start(chat),
  "sessions.list": () => sessions.list(),
  "envvars.list": () => envvars.list("proj_a", "dev"),
  "deployments.retrieveCurrent": () => deployments.retrieveCurrent(),
  "query.execute": () => query.execute("SELECT 1"),
  "prompts.list": () => prompts.list(),
  "wait.for": () => wait.for({ seconds: 1 }),
  "wait.forToken": () => wait.forToken("waitpoint_1"),
  "tasks.triggerAndWait": () => tasks.triggerAndWait("publish-post", "a"),
  "streams.input(…).wait": () => streams.input({ id: "approval" }).wait(),
};

for (const [name, call] of Object.entries(calls)) {
  const error = await Promise.try(call).then(() => undefined, (refused) => refused);
  const status = error?.status ?? error?.cause?.status ?? 0;
  console.log(JSON.stringify({ name, status, message: error?.message ?? "it was done" }));
}
