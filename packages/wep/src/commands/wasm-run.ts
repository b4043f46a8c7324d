import { EXIT } from "@subnet-worker/kit";
import { createEngine, renderFlameGraph, type RunOutcome, type RunProfile } from "@subnet-worker/wasm";
import { flagOption, type Invocation, type Io, textOption } from "./command.ts";
import { argumentAt } from "./spec-file.ts";
import { readBytes, withFile, writeBytes } from "./wasm-file.ts";
import { readRunOptions } from "./wasm-run-options.ts";
import { failureText, toJson, usedText } from "./wasm-run-report.ts";

type Ended = RunOutcome & { readonly profile?: RunProfile };

/**
 * `wep wasm run`: runs a module as `wasm.execute` does, in this process.
 *
 * @returns the program's exit code; 1 when it was stopped
 * @throws {StartupError} exit code 1 for what is no module or is not supported, 78 for wrong use
 */
export async function wasmRun(invocation: Invocation): Promise<number> {
  const { io, args, signal } = invocation;
  const path = argumentAt(args, 0);
  const bytes = readBytes(io, path);
  const { request, limits } = await readRunOptions(invocation);
  const profilePath = textOption(invocation, "profile");
  // What is asked for is the most that there is.
  await using engine = createEngine({ threads: 1, limits });
  const program = await withFile(path, () => engine.prepare(bytes, signal));
  const onLog = (level: string, message: string) => io.err(`${level}: ${message}\n`);
  const outcome = await withFile(path, () =>
    engine.run(program, { ...request, onLog, signal, profile: profilePath !== undefined }),
  );
  if (flagOption(invocation, "json")) io.out(`${JSON.stringify(toJson(outcome, program), null, 2)}\n`);
  else tell(io, outcome, { prepareMs: program.prepareMs, profilePath });
  // Last: where it cannot be written, what the program gave back is not lost.
  if (profilePath !== undefined)
    writeBytes(io, profilePath, renderFlameGraph(outcome.profile?.foldedStacks ?? ""));
  return exitCodeOf(outcome);
}

function tell(
  io: Io,
  outcome: Ended,
  { prepareMs, profilePath }: { readonly prepareMs: number; readonly profilePath: string | undefined },
): void {
  if (outcome.kind === "completed" || outcome.kind === "guest_error") io.out(outcome.output);
  io.err(new TextDecoder().decode(outcome.stderr));
  const failure = failureText(outcome);
  if (failure !== undefined) io.err(`wep: ${failure}\n`);
  io.err(usedText(outcome, { prepareMs, profilePath }));
}

/** What a process can end with is a byte, and 0 is a success. */
function exitCodeOf(outcome: RunOutcome): number {
  if (outcome.kind === "completed") return EXIT.ok;
  if (outcome.kind === "guest_error" && outcome.code > 0 && outcome.code < 256) return outcome.code;
  return EXIT.fault;
}
