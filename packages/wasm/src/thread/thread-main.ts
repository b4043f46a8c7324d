import { workerData } from "node:worker_threads";
import { forbidCodeOfText } from "./no-code-of-text.ts";
import type { FromRunThread, RunThreadData, ThreadProgram, ToRunThread } from "./protocol.ts";
import { runProgram } from "./run-program.ts";
import { createUncatchable } from "./uncatchable.ts";

forbidCodeOfText();
const { port, cells } = workerData as RunThreadData;
const deps = { port, cells, uncatchable: createUncatchable() };
const programs = new Map<number, ThreadProgram>();

function answer(message: Extract<ToRunThread, { readonly kind: "run" }>): FromRunThread {
  const { run, forget, watchMs } = message;
  for (const programId of forget) programs.delete(programId);
  const program = run.program ?? programs.get(run.programId);
  if (program === undefined) throw new Error(`program ${run.programId} was never sent to this thread`);
  programs.set(run.programId, program);
  return runProgram({ run, program, watchMs, deps });
}

/** Buffers that an answer may give away instead of copying. */
function buffersOf(message: FromRunThread): ArrayBuffer[] {
  if (message.kind !== "ended") return [];
  const { stderr, end } = message;
  const pieces = "output" in end ? [stderr, end.output] : [stderr];
  const buffers = pieces
    .filter(({ length, buffer }) => length > 0 && length === buffer.byteLength)
    .map(({ buffer }) => buffer as ArrayBuffer);
  return [...new Set(buffers)];
}

port.on("message", (message: ToRunThread) => {
  if (message.kind !== "run") return;
  const ended = answer(message);
  port.postMessage(ended, buffersOf(ended));
});
const ready: FromRunThread = { kind: "ready" };
port.postMessage(ready);
