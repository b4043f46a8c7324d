import { createLogger, createRegistry, type Registry } from "@subnet-worker/kit";
import { createDeferred, type Deferred, FakeClock } from "@subnet-worker/testkit";
import {
  defineHandler,
  type Handler,
  type InputValue,
  type RunContext,
  serve,
  type ServeOptions,
  type WepServer,
  type WorkClass,
} from "../src/index.ts";

export type LogLine = Readonly<Record<string, unknown>>;

export interface TestWep extends AsyncDisposable {
  readonly server: WepServer;
  readonly port: number;
  readonly metrics: Registry;
  /** Everything logged, as parsed JSON. */
  readonly logs: LogLine[];
  metric(name: string): Promise<number | undefined>;
}

/** A server on a free port that logs into an array. */
export async function startWep(options: Partial<ServeOptions>): Promise<TestWep> {
  const logs: LogLine[] = [];
  const logger = createLogger({
    name: "wep",
    level: "debug",
    destination: { write: (line) => void logs.push(JSON.parse(line) as LogLine) },
  });
  const metrics = createRegistry();
  const server = await serve({
    port: 0,
    health: false,
    maxConcurrency: 2,
    abortGraceMs: 200,
    metrics,
    logger,
    ...options,
    tuning: { ackWaitMs: 50, returnWaitMs: 50, ...options.tuning },
  });
  return {
    server,
    port: server.address.port,
    metrics,
    logs,
    async metric(name) {
      const line = (await metrics.metrics()).split("\n").find((text) => text.startsWith(`${name} `));
      return line === undefined ? undefined : Number(line.slice(name.length));
    },
    async [Symbol.asyncDispose]() {
      const progress = { isClosed: false };
      const closing = Promise.resolve(server[Symbol.asyncDispose]()).finally(() => {
        progress.isClosed = true;
      });
      // Draining takes time, which a fake clock has to be given.
      while (options.clock instanceof FakeClock && !progress.isClosed) await options.clock.advance(100);
      await closing;
    },
  };
}

/** One call of a scripted handler, held until the test decides its end. */
export interface Call {
  readonly input: Record<string, InputValue>;
  readonly ctx: RunContext;
  readonly end: Deferred<unknown>;
}

export interface ScriptedHandler {
  readonly handler: Handler;
  readonly calls: Call[];
  /** The next call, now or when it happens. */
  nextCall(): Promise<Call>;
}

export interface ScriptOptions {
  readonly kind?: string;
  readonly version?: string;
  readonly class?: WorkClass;
  /** Ends by itself when its signal aborts. Default true. */
  readonly obeys?: boolean;
}

/** A handler whose runs do what the test says, when it says. */
export function scriptedHandler({
  kind = "test.work",
  version = "1.0.0",
  class: workClass = "cpu",
  obeys = true,
}: ScriptOptions = {}): ScriptedHandler {
  const calls: Call[] = [];
  const untaken: Call[] = [];
  const waiting: ((call: Call) => void)[] = [];
  const handler = defineHandler<Record<string, InputValue>, unknown>({
    kind,
    version,
    class: workClass,
    run(input, ctx) {
      const call: Call = { input, ctx, end: createDeferred<unknown>() };
      if (obeys)
        ctx.signal.addEventListener("abort", () => call.end.reject(ctx.signal.reason), { once: true });
      calls.push(call);
      const waiter = waiting.shift();
      if (waiter === undefined) untaken.push(call);
      else waiter(call);
      return call.end.promise;
    },
  });
  return {
    handler,
    calls,
    nextCall() {
      const call = untaken.shift();
      return call === undefined
        ? new Promise((resolve) => void waiting.push(resolve))
        : Promise.resolve(call);
    },
  };
}

/** What a completion carries as its result. */
export function resultOf(completion: { readonly resultInline: Uint8Array }): unknown {
  return JSON.parse(new TextDecoder().decode(completion.resultInline));
}

/** Resolves when `condition` holds, looking once per turn of the event loop. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => void setImmediate(resolve));
}
