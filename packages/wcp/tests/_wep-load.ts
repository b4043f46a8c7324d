/**
 * Assignments per second of the pool and a WEP that does nothing, in a process of its own:
 * `node --conditions=@subnet-worker/source packages/wcp/tests/_wep-load.ts [SECONDS] [SLOTS] [BATCH]`.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { create } from "@bufbuild/protobuf";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { createLogger, systemClock } from "@subnet-worker/kit";
import { BatchSchema, type Envelope, envelope, EnvelopeSchema, Execution } from "@subnet-worker/protocol";
import { WepPool } from "../src/adapters/wep/pool.ts";
import type { RunListener, Slot } from "../src/ports.ts";
import { aTask, idOf } from "./_builders.ts";
import { anAssignment, WISH } from "./_wep-bench.ts";

const [seconds = 5, slots = 256, batch = 256] = process.argv.slice(2).map(Number);
const RESULT = new TextEncoder().encode("{}");

/** Answers each message with one message that has an ack and a completion for each assignment in it. */
function* answer(message: Envelope): Generator<Envelope> {
  if (message.msg.case === "hello") {
    yield envelope("helloAck", { min: "1.0.0", max: "1.1.0", instanceId: "load", maxBatch: batch });
    yield envelope("capabilities", { maxConcurrency: slots });
    return;
  }
  const messages = message.msg.case === "batch" ? message.msg.value.envelopes : [message];
  const answers: Envelope[] = [];
  for (const { msg } of messages) {
    if (msg.case === "ping") answers.push(envelope("pong", { nonce: msg.value.nonce }));
    if (msg.case !== "assign") continue;
    const { activityId, runId } = msg.value;
    answers.push(envelope("ack", { activityId, runId }));
    answers.push(envelope("completion", { activityId, runId, status: "SUCCESS", resultInline: RESULT }));
  }
  if (batch < 2) yield* answers;
  else if (answers.length > 0) {
    const together = create(BatchSchema);
    together.envelopes = answers;
    yield create(EnvelopeSchema, { msg: { case: "batch", value: together } });
  }
}

async function beWep(): Promise<void> {
  const server = createServer(
    connectNodeAdapter({
      routes: (router) =>
        router.service(Execution, {
          async *taskStream(requests) {
            for await (const message of requests) yield* answer(message);
          },
        }),
    }),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  process.send?.((server.address() as AddressInfo).port);
}

async function beWcp(): Promise<void> {
  const wep = fork(import.meta.filename, process.argv.slice(2), {
    env: { ...process.env, ROLE: "wep" },
  });
  const [port] = (await once(wep, "message")) as [number];
  const pool = new WepPool(
    {
      urls: [`http://127.0.0.1:${port}`],
      instanceId: "load",
      agent: "load/0",
      maxBatch: batch,
      handshakeTimeoutMs: 10_000,
      pingIntervalMs: 2_000,
      silenceMs: 8_000,
    },
    { clock: systemClock, logger: createLogger({ name: "load", level: "warn" }) },
  );
  const stop = new AbortController();
  const running = pool.run(stop.signal);
  while (pool.stats().connected === 0) await systemClock.sleep(10);
  const listener: RunListener = {
    progress: () => undefined,
    upload: () => Promise.reject(new Error("no uploads here")),
  };
  let done = 0;
  const over = new AbortController();
  const work = async (slot: Slot, lane: number) => {
    for (let turn = 0; !over.signal.aborted; turn += 1) {
      const task = aTask({ id: idOf(lane) });
      await slot.run(anAssignment({ task, runId: `run-${lane}-${turn}` }), listener, stop.signal);
      done += 1;
    }
    slot[Symbol.dispose]();
  };
  const cpu = process.cpuUsage();
  const startedAtMs = performance.now();
  const lanes = Array.from({ length: slots }, (_, lane) => {
    const slot = pool.reserve(WISH);
    return slot === undefined ? Promise.resolve() : work(slot, lane);
  });
  await systemClock.sleep(seconds * 1_000);
  const elapsedS = (performance.now() - startedAtMs) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  const perSecond = Math.round(done / elapsedS);
  over.abort();
  await Promise.all(lanes);
  stop.abort();
  await running;
  wep.kill();
  const metrics = { assignments_per_s: perSecond, cpu_us_per_assignment: Math.round((user + system) / done) };
  process.stdout.write(`${JSON.stringify({ name: "wep-load", slots, batch, metrics })}\n`);
}

await (process.env["ROLE"] === "wep" ? beWep() : beWcp());
