import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Benchmark, Report, Row } from "../benchmark.ts";
import { percentile, round } from "../report.ts";
import { answersReady, coldStart, isListening, type Program, type Start } from "../sdk/cold-start.ts";
import { install, type Installed, packSdk } from "../sdk/install.ts";

const ROUNDS = 5;

/** The SDK of a durable-execution server: a handler behind HTTP/2, as ours is. */
const PEER = "@restatedev/restate-sdk@1.17.2";
/** What every Connect server is made of. */
const BARE = ["@connectrpc/connect@2.2.0", "@connectrpc/connect-node@2.2.0", "@bufbuild/protobuf@2.17.0"];

/** What a partner pays before the first run. */
export const benchmark: Benchmark = {
  about:
    "installed size of the SDK and cold start of a WEP with one handler, beside another SDK and a bare server",
  run,
};

const HANDLER = `
import { defineHandler } from "@subnet-worker/wep-sdk";
export const greet = defineHandler({ kind: "greet", version: "1.0.0", run: ({ name }) => ({ text: "Hello " + name }) });
`;

const IN_PROCESS = `
import { serve } from "@subnet-worker/wep-sdk";
import { greet } from "./handler.js";
await serve({ handlers: [greet], port: 0, health: { port: Number(process.argv[2]) } });
`;

const IN_THREADS = `
import { serve } from "@subnet-worker/wep-sdk";
const handler = new URL("handler.js", import.meta.url).pathname;
await serve({ modules: [handler], port: 0, health: { port: Number(process.argv[2]) } });
`;

const RESTATE = `
import * as restate from "@restatedev/restate-sdk";
const greeter = restate.service({ name: "greeter", handlers: { greet: async (ctx, name) => "Hello " + name } });
await restate.serve({ services: [greeter], port: Number(process.argv[2]) });
`;

const CONNECT = `
import { createServer } from "node:http2";
import { connectNodeAdapter } from "@connectrpc/connect-node";
createServer(connectNodeAdapter({ routes: () => undefined })).listen(Number(process.argv[2]), "127.0.0.1");
`;

async function run(): Promise<Report> {
  const place = mkdtempSync(join(tmpdir(), "bench-sdk-"));
  try {
    const ours = install(join(place, "ours"), packSdk(place));
    const peer = install(join(place, "peer"), [PEER]);
    const bare = install(join(place, "bare"), BARE);
    const starts = await startAll({
      process: ofOurs(ours, "process.js", IN_PROCESS),
      threads: ofOurs(ours, "threads.js", IN_THREADS),
      peer: { folder: peer.folder, file: "peer.js", source: RESTATE, isReady: isListening },
      bare: { folder: bare.folder, file: "bare.js", source: CONNECT, isReady: isListening },
    });
    return toReport({ ours, peer, bare, starts });
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

function ofOurs({ folder }: Installed, file: string, source: string): Program {
  return { folder, file, source, files: { "handler.js": HANDLER }, isReady: answersReady };
}

type Which = "process" | "threads" | "peer" | "bare";
type Starts = Readonly<Record<Which, Start>>;

/** The median of each; in turn, as whatever else the machine does slows all of them. */
async function startAll(programs: Readonly<Record<Which, Program>>): Promise<Starts> {
  const all: Record<Which, Start[]> = { process: [], threads: [], peer: [], bare: [] };
  const names = Object.keys(all) as Which[];
  // Once for the disk's cache.
  for (const name of names) await coldStart(programs[name]);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const name of names) all[name].push(await coldStart(programs[name]));
  }
  const median = (name: Which): Start => ({
    tookMs: percentile(
      all[name].map(({ tookMs }) => tookMs),
      0.5,
    ),
    residentMb: percentile(
      all[name].map(({ residentMb }) => residentMb),
      0.5,
    ),
  });
  return {
    process: median("process"),
    threads: median("threads"),
    peer: median("peer"),
    bare: median("bare"),
  };
}

function toReport(measured: {
  readonly ours: Installed;
  readonly peer: Installed;
  readonly bare: Installed;
  readonly starts: Starts;
}): Report {
  const { ours, peer, bare, starts } = measured;
  const size = ({ sizeMb, packages }: Installed) => `${round(sizeMb, 1)} MB in ${packages} packages`;
  const start = ({ tookMs, residentMb }: Start) => `${round(tookMs, 0)} ms, ${round(residentMb, 0)} MB`;
  const rows: Row[] = [
    {
      what: "installed, the SDK alone",
      value: size(ours),
      beside: `${PEER} ${size(peer)}; bare Connect ${size(bare)}`,
    },
    {
      what: "cold start to /readyz, handler in the process",
      value: start(starts.process),
      beside: `${PEER} to its port ${start(starts.peer)}; bare Connect ${start(starts.bare)}`,
    },
    {
      what: "cold start to /readyz, handler in a thread",
      value: start(starts.threads),
      beside: "the same, and the modules loaded in a thread of their own",
    },
  ];
  return {
    rows,
    metrics: {
      installed_mb: round(ours.sizeMb, 2),
      installed_packages: ours.packages,
      peer_installed_mb: round(peer.sizeMb, 2),
      peer_installed_packages: peer.packages,
      cold_start_ms: round(starts.process.tookMs, 0),
      cold_start_threads_ms: round(starts.threads.tookMs, 0),
      peer_cold_start_ms: round(starts.peer.tookMs, 0),
      bare_cold_start_ms: round(starts.bare.tookMs, 0),
      resident_mb: round(starts.process.residentMb, 0),
      installed_ratio: round(ours.sizeMb / peer.sizeMb, 2),
      cold_start_ratio: round(starts.process.tookMs / starts.peer.tookMs, 2),
    },
  };
}
