// The first module of a handler thread: the only place that imports what a partner wrote.
import { workerData } from "node:worker_threads";
// No module here or below imports a whole package: each thread has code and heap of its own.
import { systemClock } from "@subnet-worker/kit/clock";
import { createLogger, type LogLevel } from "@subnet-worker/kit/logger";
import { WepError } from "../errors.ts";
import type { Handler } from "../handler.ts";
import { Backlog } from "./backlog.ts";
import { infosOf } from "./handler-info.ts";
import { loadHandlerModules } from "./load-modules.ts";
import type { FromThread, ThreadData, ToThread } from "./messages.ts";
import { ThreadRuns } from "./thread-runs.ts";

const data = workerData as ThreadData;
const { port } = data;
const backlog = new Backlog(data.backlog);
const log = createLogger({
  name: "wep",
  level: data.log.level as LogLevel,
  fields: data.log.fields,
  destination: {
    write: (line) => {
      backlog.say("log");
      post({ kind: "log", line });
    },
  },
});

process.on("unhandledRejection", (error) => {
  log.error(
    { err: error },
    "a promise was rejected and nobody awaited it; look for a missing await in a handler",
  );
});

const handlers = await load();
if (handlers !== undefined) {
  const runs = new ThreadRuns({ data, backlog, handlers, log, clock: systemClock });
  port.on("message", (message: ToThread) => runs.take(message));
  post({
    kind: "ready",
    handlers: infosOf(handlers),
  });
}

/** The handlers of this thread; `undefined` when there are none to be had, and the process knows. */
async function load(): Promise<readonly Handler[] | undefined> {
  try {
    return await loadHandlerModules(data.modules);
  } catch (error) {
    if (!(error instanceof WepError)) throw error;
    post({ kind: "unusable", code: error.code, message: error.message });
    return undefined;
  }
}

function post(message: FromThread): void {
  port.postMessage(message);
}
