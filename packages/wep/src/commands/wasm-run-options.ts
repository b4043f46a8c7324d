import { fstatSync } from "node:fs";
import { isIP } from "node:net";
import { buffer } from "node:stream/consumers";
import { systemClock } from "@subnet-worker/kit";
import { parseDuration } from "@subnet-worker/kit/config";
import { createEgress, type Egress, EgressError, type EgressPolicy } from "@subnet-worker/kit/egress";
import type { Abi, Limits, RunRequest } from "@subnet-worker/wasm";
import { flagOption, type Invocation, type Io, misuse, textOption, textsOption } from "./command.ts";
import { mediaTypeOf } from "./media-type.ts";
import { readBytes } from "./wasm-file.ts";

const ABIS: readonly Abi[] = ["execute", "command", "cli", "handler"];
const MIB = 1_048_576;
/** Standard input that takes longer is spoken of. */
const HINT_MS = 2_000;

/** Options that are counts, the limit that each is, its unit, and the most that the engine takes of it. */
const COUNTS = [
  ["memory-mb", "memoryBytes", MIB, 65_536n],
  ["stack-kb", "stackBytes", 1_024, 16_384n],
  ["output-mb", "outputBytes", MIB, 65_536n],
  ["host-calls", "hostCalls", 1, BigInt(Number.MAX_SAFE_INTEGER)],
] as const;
const MOST_FUEL = 2n ** 62n;
const MOST_SEED = 2n ** 64n - 1n;
/** Below the year 2255, as wasm.execute has it. */
const LATEST_MS = 9_000_000_000_000n;

/**
 * What the options of `wep wasm run` ask for. Reads the input.
 *
 * @throws {StartupError} exit code 78 for an option that makes no sense
 */
export async function readRunOptions(
  invocation: Invocation,
): Promise<{ readonly request: RunRequest; readonly limits: Partial<Limits> }> {
  const abi = abiOf(textOption(invocation, "abi"));
  const inputType = textOption(invocation, "input-type") ?? typeOf(textOption(invocation, "input"));
  const limits = limitsOf(invocation);
  const world = worldOf(invocation);
  const env = Object.fromEntries(textsOption(invocation, "env").map(pairOf));
  const send = sendTo(textsOption(invocation, "http"));
  // Last: what is wrong is told before anything is waited for.
  const input = await inputOf(invocation);
  return {
    limits,
    request: {
      ...send,
      input,
      args: textsOption(invocation, "arg"),
      env,
      world,
      ...(abi === undefined ? {} : { abi }),
      ...(inputType === undefined ? {} : { inputType }),
    },
  };
}

/** Of what is typed, and of a file by its name; nobody knows what comes through a pipe. */
function typeOf(input: string | undefined): string | undefined {
  if (input === undefined || input === "-") return undefined;
  return namesFile(input) ? mediaTypeOf(input) : "text/plain";
}

function namesFile(input: string): boolean {
  return input.startsWith("@") && !input.startsWith("@@");
}

function abiOf(text: string | undefined): Abi | undefined {
  const found = ABIS.find((abi) => abi === text);
  if (text !== undefined && found === undefined)
    throw misuse(`--abi: there is no ${text}; use ${ABIS.join(", ")}`);
  return found;
}

function limitsOf(invocation: Invocation): Partial<Limits> {
  const fuel = numberOf(invocation, "fuel", MOST_FUEL);
  const time = textOption(invocation, "time");
  const counts = COUNTS.flatMap(([option, limit, unit, most]) => {
    const count = numberOf(invocation, option, most);
    return count === undefined ? [] : [[limit, Number(count) * unit] as const];
  });
  return {
    ...Object.fromEntries(counts),
    ...(fuel === undefined ? {} : { fuel }),
    ...(time === undefined ? {} : { timeMs: timeOf(time) }),
  };
}

function timeOf(text: string): number {
  const timeMs = durationOf(text);
  if (timeMs > 0) return timeMs;
  throw misuse(`--time: ${JSON.stringify(text)} leaves no time to run; give more than 0`);
}

function durationOf(text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    throw misuse(`--time: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function numberOf(invocation: Invocation, option: string, most: bigint): bigint | undefined {
  const text = textOption(invocation, option);
  if (text === undefined) return undefined;
  if (/^\d{1,30}$/.test(text) && BigInt(text) <= most) return BigInt(text);
  throw misuse(`--${option}: expected a whole number from 0 to ${most}, got ${JSON.stringify(text)}`);
}

function worldOf(invocation: Invocation): NonNullable<RunRequest["world"]> {
  const seed = numberOf(invocation, "seed", MOST_SEED);
  const startMs = numberOf(invocation, "start-ms", LATEST_MS);
  if (!flagOption(invocation, "live"))
    return { kind: "seeded", seed: seed ?? 0n, startMs: Number(startMs ?? 0n) };
  if (seed === undefined && startMs === undefined) return { kind: "live" };
  throw misuse("--live has real clocks and randomness; leave --seed and --start-ms out");
}

function pairOf(text: string): readonly [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw misuse(`--env: expected NAME=VALUE, got ${JSON.stringify(text)}`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** What whoever types the command names is granted, also in plain text and on this machine. */
function sendTo(places: readonly string[]): Pick<RunRequest, "send"> {
  if (places.length === 0) return {};
  const urls = places.map((place) => {
    if (URL.canParse(`http://${place}/`)) return new URL(`http://${place}/`);
    throw misuse(`--http: expected a host, or a host and its port, got ${JSON.stringify(place)}`);
  });
  const hosts = urls.map(({ hostname }) => hostname.replaceAll(/[[\]]/g, ""));
  const ports = urls.flatMap(({ port }) => (port === "" ? [] : [Number(port)]));
  const egress = egressTo({
    hosts,
    ports: [80, 443, ...ports],
    schemes: ["http", "https"],
    networks: hosts.filter((host) => isIP(host) !== 0),
  });
  return { send: (request, signal) => egress.send(request, signal) };
}

function egressTo(policy: EgressPolicy): Egress {
  try {
    return createEgress({ policy });
  } catch (error) {
    if (error instanceof EgressError) throw misuse(`--http: ${error.message}`);
    throw error;
  }
}

async function inputOf(invocation: Invocation): Promise<Uint8Array> {
  const text = textOption(invocation, "input");
  if (text === "-" || (text === undefined && isPiped())) return await standardInput(invocation.io);
  if (text === undefined) return new Uint8Array();
  // As in the options of wep send.
  return namesFile(text)
    ? readBytes(invocation.io, text.slice(1))
    : new TextEncoder().encode(text.replace(/^@@/, "@"));
}

/** Who starts a program may leave a pipe open that nothing is written to. */
async function standardInput(io: Io): Promise<Uint8Array> {
  using _ = systemClock.timer(HINT_MS, () =>
    io.err("wep: waiting for the end of standard input; --input gives the input otherwise\n"),
  );
  return await buffer(process.stdin);
}

/** A terminal, and what a program has that is started without one, are not waited for. */
function isPiped(): boolean {
  try {
    const stat = fstatSync(0);
    return stat.isFIFO() || stat.isFile() || stat.isSocket();
  } catch (error) {
    // It is closed.
    if ((error as NodeJS.ErrnoException).code === "EBADF") return false;
    throw error;
  }
}
