// Says what came of each test, a line of JSON for one.
import { inspect } from "node:util";

export default async function* report(events) {
  for await (const { type, data } of events) {
    if (!["test:pass", "test:fail"].includes(type) || data.details?.type === "suite") continue;
    const error = data.details?.error;
    yield JSON.stringify({
      name: data.name,
      passed: type === "test:pass" && data.skip === undefined && data.todo === undefined,
      text: error ? inspect(error.cause ?? error, { depth: 6 }) : "",
      ms: data.details?.duration_ms ?? 0,
    }) + "\n";
  }
}
