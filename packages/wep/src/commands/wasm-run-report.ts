import { type Program, type RunOutcome, type RunProfile, topFunctions } from "@subnet-worker/wasm";
import { explain, type LimitNames } from "../wasm/wasm-failure.ts";

type Ended = RunOutcome & { readonly profile?: RunProfile };

const OPTIONS: LimitNames = {
  fuel: "--fuel",
  memory: "--memory-mb",
  stack: "--stack-kb",
  time: "--time",
  output: "--output-mb",
  hostCalls: "--host-calls",
};

/** Functions that are shown beside a profile. */
const SHOWN_FUNCTIONS = 10;

/** Why a run came to nothing: `[WASM_OUT_OF_FUEL] ...`; `undefined` when it completed. */
export function failureText(outcome: RunOutcome): string | undefined {
  if (outcome.kind === "completed") return undefined;
  if (outcome.kind === "cancelled") return "[WASM_CANCELLED] the run was cancelled";
  const { name, problem } = explain(outcome, OPTIONS);
  return `[WASM_${name}] ${problem}`;
}

/** What a run used, as a table for people; of a profiled one also who used it. */
export function usedText(
  { kind, fuel, timeMs, memoryBytes, hostCalls, profile }: Ended,
  { prepareMs, profilePath }: { readonly prepareMs: number; readonly profilePath: string | undefined },
): string {
  const rows = [
    ["outcome", kind],
    ["fuel", grouped(fuel)],
    ["time", `${timeMs.toFixed(1)} ms, and ${prepareMs.toFixed(1)} ms to meter and compile`],
    ["memory", `${grouped(memoryBytes / 1_024)} KiB`],
    ["host calls", grouped(hostCalls)],
    ...(profilePath === undefined ? [] : [["profile", profilePath]]),
  ] as const;
  const functions = profile === undefined ? [] : functionLines(profile);
  return [...rows.map(([name = "", value = ""]) => `${name.padEnd(12)}${value}`), ...functions, ""].join(
    "\n",
  );
}

function functionLines({ foldedStacks }: RunProfile): readonly string[] {
  const top = topFunctions(foldedStacks, SHOWN_FUNCTIONS);
  if (top.length === 0) return [];
  const lines = top.map(
    ({ name, fuel, share }) =>
      `${grouped(fuel).padStart(18)}  ${(100 * share).toFixed(1).padStart(5)} %  ${name}`,
  );
  return ["", `${"fuel itself".padStart(18)}    share  function`, ...lines];
}

/** The run as one document for programs. */
export function toJson(outcome: Ended, { sha256, abi, prepareMs }: Program): object {
  const { kind, fuel, timeMs, memoryBytes, hostCalls, stderr, profile } = outcome;
  return {
    kind,
    ...(outcome.kind === "completed" ? contentOf(outcome.output) : {}),
    ...(outcome.kind === "completed" && outcome.outputType !== undefined
      ? { output_type: outcome.outputType }
      : {}),
    ...(outcome.kind === "guest_error" ? { exit_code: outcome.code, ...contentOf(outcome.output) } : {}),
    ...(outcome.kind === "completed" ? {} : { error: failureText(outcome) }),
    // As text: it may be more than a number can hold.
    fuel: String(fuel),
    time_ms: timeMs,
    prepare_ms: prepareMs,
    memory_peak_bytes: memoryBytes,
    host_calls: hostCalls,
    stderr: new TextDecoder().decode(stderr),
    module: { sha256, abi: abi ?? null },
    ...(profile === undefined ? {} : { functions: topFunctions(profile.foldedStacks, SHOWN_FUNCTIONS) }),
  };
}

/** Text where it is text, else base64. */
function contentOf(output: Uint8Array): object {
  try {
    return { output: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(output) };
  } catch {
    // No UTF-8; nothing else makes a decoder throw.
    return { output_base64: Buffer.from(output).toString("base64") };
  }
}

function grouped(count: bigint | number): string {
  return count.toLocaleString("en-US", { maximumFractionDigits: 0 });
}
