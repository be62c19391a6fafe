// Lets the tests import the packages by name from the cache, which is outside the tree.
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";

const ours = new URL("..", import.meta.url).href;
const packages = pathToFileURL(`${process.env.HEADRACE_TEST_PACKAGES}/any.mjs`).href;

registerHooks({
  resolve(name, context, next) {
    const bare = !/^(\.|\/|[a-z]+:)/.test(name);
    const from = bare && context.parentURL?.startsWith(ours) ? packages : context.parentURL;
    return next(name, { ...context, parentURL: from });
  },
});
