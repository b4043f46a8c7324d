import type { AbiEnd, RunHost, ThreadProgram } from "../thread/protocol.ts";
import { memoryOf, missingFunction, missingMemory, notCoreModule } from "./core-exports.ts";
import { ERRNO } from "./wasi/errno.ts";
import { GuestMemory } from "./wasi/guest-memory.ts";
import { type GuestCall, linkImports, type Offer, offer } from "./wasi/link-imports.ts";
import { randomGet } from "./wasi/random.ts";

const EXECUTE = "execute";
const LENGTH_BYTES = 4;

const writesNothing = () => ERRNO.success;

/**
 * What libraries import even where nothing of it is used. Only randomness is real: a module that wants more is a
 * command.
 */
const EXECUTE_OFFERS: ReadonlyMap<string, Offer<GuestCall>> = new Map<string, Offer<GuestCall>>([
  ["random_get", offer("ii", randomGet)],
  ["fd_write", offer("iiii", writesNothing)],
  ["environ_get", offer("ii", writesNothing)],
  ["environ_sizes_get", offer("ii", writesNothing)],
  ["proc_exit", { params: ["i32"], results: [], call: writesNothing }],
]);

/**
 * Runs a module by `execute(input_ptr, input_len) -> ptr`. The input is at offset 0 of `memory`, over whatever the
 * module has there; a module that keeps data below the length of its input must be linked otherwise. An input that is
 * longer than the memory is a trap: growing the memory would not help, as all that the module has would be
 * overwritten.
 *
 * A negative result is a `guest_error` with that code. Otherwise 4 bytes at `ptr` say how long the output is, least
 * first, and the output follows them. A length beyond the limit of output is `output_too_large`, wherever it ends; one
 * beyond the memory is `bad_output`.
 *
 * Neither input nor output cost fuel: they are copied once, and have limits of their own.
 */
export function runExecute(program: ThreadProgram, host: RunHost): AbiEnd {
  if (program.kind !== "module") return notCoreModule(EXECUTE);
  const { facts } = program;
  const type = { params: ["i32", "i32"], results: ["i32"] } as const;
  const missing = missingFunction(facts, EXECUTE, type) ?? missingMemory(facts);
  if (missing !== undefined) return missing;
  const memory = new GuestMemory();
  const linked = linkImports(facts, EXECUTE_OFFERS, {
    abiName: "a module with execute",
    call: { host, memory },
  });
  if (linked.kind !== "linked") return linked;
  const exports = host.instantiate(program, linked.imports, (early) => memory.bind(memoryOf(facts, early)));
  placeInput(memory, host);
  const execute = exports[EXECUTE] as (pointer: number, lengthBytes: number) => number;
  const pointer = execute(0, host.run.input.length);
  if (pointer < 0) return { kind: "guest_error", code: pointer, message: "", output: new Uint8Array() };
  memory.refresh();
  return readOutput(memory, pointer, host.run.limits.outputBytes);
}

function placeInput(memory: GuestMemory, host: RunHost): void {
  const { input } = host.run;
  memory.refresh();
  if (input.length > memory.sizeBytes) {
    const message = `the input of ${input.length} bytes does not fit into the module's memory of ${memory.sizeBytes}; build the module with a larger initial memory`;
    host.stop({ kind: "trap", reason: "memory_out_of_bounds", message });
  }
  memory.range(0, input.length).set(input);
}

function readOutput(memory: GuestMemory, pointer: number, limitBytes: number): AbiEnd {
  if (pointer + LENGTH_BYTES > memory.sizeBytes) {
    const message = `execute returned ${pointer}, and the memory ends at ${memory.sizeBytes}: there is no length of 4 bytes to read there; return a pointer into the memory, or a negative number for an error`;
    return { kind: "bad_output", message };
  }
  const lengthBytes = memory.u32(pointer);
  if (lengthBytes > limitBytes) return { kind: "output_too_large", limitBytes, actualBytes: lengthBytes };
  const begin = pointer + LENGTH_BYTES;
  if (begin + lengthBytes > memory.sizeBytes) {
    const message = `the output of ${lengthBytes} bytes at ${begin} goes beyond the memory of ${memory.sizeBytes} bytes; write its length, least byte first, at the pointer that execute returns`;
    return { kind: "bad_output", message };
  }
  return { kind: "completed", output: memory.range(begin, lengthBytes).slice() };
}
