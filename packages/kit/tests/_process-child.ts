// Run as a process of its own by process.test.ts, with what to do as its argument.
import { once } from "node:events";
import { createServer } from "node:net";
import { EXIT, runProcess, StartupError } from "../src/index.ts";

const say = (line: string) => process.stdout.write(`${line}\n`);
const never = new Promise<never>(() => undefined);

/** Something that keeps the process alive. */
async function holdOpen(): Promise<void> {
  await once(createServer().listen(0, "127.0.0.1"), "listening");
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  await holdOpen();
  say("ready");
  await once(signal, "abort");
  say(`aborted by ${String(signal.reason)}`);
}

const MAINS: Record<string, (signal: AbortSignal) => Promise<void>> = {
  ends: () => Promise.resolve(),
  fails: () => Promise.reject(new Error("out of luck")),
  "fails-twice": () => {
    const first = new Error("no claim", { cause: new Error("socket closed") });
    return Promise.reject(new AggregateError([first, new Error("no flush")], "2 services failed"));
  },
  "try-later": () => Promise.reject(new StartupError(EXIT.tryLater, "[RPC_DOWN] the RPC is down; start it")),
  "bad-config": () => Promise.reject(new StartupError(EXIT.badConfig, "[BAD_CONFIG] no key; set it")),
  "hangs-after-work": holdOpen,
  "hangs-after-fault": async () => {
    await holdOpen();
    throw new StartupError(EXIT.tryLater, "later");
  },
  drains: async (signal) => {
    const server = createServer().listen(0, "127.0.0.1");
    say("ready");
    await once(signal, "abort");
    say(`aborted by ${String(signal.reason)}`);
    server.close();
    await once(server, "close");
    say("drained");
  },
  "drains-badly": async (signal) => {
    await untilAborted(signal);
    throw new Error("cannot flush");
  },
  "never-drains": async (signal) => {
    await untilAborted(signal);
    await never;
  },
};

const [what = "", deadlineMs = "", echoMs = "0"] = process.argv.slice(2);
const main = MAINS[what];
if (main === undefined) throw new Error(`no such child: ${what}`);
await runProcess(main, { deadlineMs: () => Number(deadlineMs), echoMs: Number(echoMs) });
