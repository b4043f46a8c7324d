// A component of the world handler in TypeScript. Its input is JSON: what to do, and an argument.
// @ts-expect-error The module is the component's host; there is nothing to check it by here.
import { log, progress } from "subnet:worker/host@0.1.0";

type Value =
  | { readonly tag: "text" | "json"; readonly val: string }
  | { readonly tag: "bytes"; readonly val: Uint8Array };

interface Job {
  readonly do: string;
  readonly argument?: string;
}

const json = (value: unknown): Value => ({ tag: "json", val: JSON.stringify(value) });

/** What it takes to reach something, or why it cannot be reached. */
async function attempt(reach: () => unknown): Promise<string> {
  try {
    return `GOT IT: ${String(await reach())}`;
  } catch (error) {
    return `refused: ${String(error)}`;
  }
}

const ways: Readonly<Record<string, (argument: string) => Value | Promise<Value>>> = {
  echo: (argument) => ({ tag: "text", val: argument }),
  bytes: (argument) => ({ tag: "bytes", val: new TextEncoder().encode(argument) }),
  sort: (argument) =>
    json(
      argument
        .split(",")
        .map(Number)
        .sort((one, other) => one - other),
    ),
  tell: () => {
    log("info", "begun");
    progress(0.25, "a quarter");
    // oxlint-disable-next-line no-console
    console.log("on stdout");
    // oxlint-disable-next-line no-console
    console.error("on stderr");
    return json(null);
  },
  fail: () => {
    throw { code: "no-good", message: "it is no good", retryable: true };
  },
  throws: () => {
    throw new Error("not a failure");
  },
  spin: () => {
    for (;;) Math.sqrt(2);
  },
  fill: () => {
    const kept: Uint8Array[] = [];
    for (;;) kept.push(new Uint8Array(1 << 20).fill(1));
  },
  shout: () => {
    for (;;) log("info", "again");
  },
  much: (argument) => ({ tag: "text", val: "x".repeat(Number(argument)) }),
  world: () =>
    json([
      Date.now(),
      new Date(0).getTimezoneOffset(),
      Math.random(),
      performance.now() >= 0,
      crypto.getRandomValues(new Uint8Array(8)).join(),
    ]),
  wait: async () => {
    const begun = Date.now();
    // oxlint-disable-next-line no-restricted-globals -- The component's own, in the world of its run.
    await new Promise((resolve) => setTimeout(resolve, 60_000));
    return json(Date.now() - begun >= 59_000);
  },
  outside: async () => {
    const scope = globalThis as Readonly<Record<string, unknown>>;
    const names = [
      "process",
      "require",
      "Deno",
      "Bun",
      "window",
      "WebAssembly",
      "SharedArrayBuffer",
      "Worker",
    ];
    return json({
      seen: names.filter((name) => scope[name] !== undefined),
      process: await attempt(() =>
        (scope["Function"] as (body: string) => () => unknown)("return process.env.HOME")(),
      ),
    });
  },
  // The engine within has no loader: asked for a module, it ends itself.
  load: async (argument) => json(await attempt(() => import(argument))),
  fetch: async (argument) => {
    const response = await fetch(argument, {
      method: "POST",
      body: "from inside",
      headers: { "x-mine": "1" },
    });
    return json({
      status: response.status,
      type: response.headers.get("x-type"),
      text: await response.text(),
    });
  },
  reach: async (argument) => json(await attempt(async () => (await fetch(argument)).text())),
};

export function run(input: Value): Value | Promise<Value> {
  if (input.tag !== "json") throw { code: "not-json", message: `it is ${input.tag}`, retryable: false };
  const job = JSON.parse(input.val) as Job;
  const way = ways[job.do];
  if (way === undefined) throw { code: "unknown", message: job.do, retryable: false };
  return way(job.argument ?? "");
}
