import { guessAbi } from "../abi/guess-abi.ts";
import { isComponent } from "../component/component-sections.ts";
import { prepareComponent } from "../component/prepare-component.ts";
import { WasmError } from "../errors.ts";
import type { ModuleLimits } from "../limits.ts";
import type { ModuleFacts } from "../meter/facts.ts";
import { meterModule } from "../meter/meter-module.ts";
import type { Metered } from "../meter/meter.ts";
import { Wasm, type WasmModule } from "../web-assembly.ts";
import type { Compiled } from "./compile-protocol.ts";
import type { StoredProgram } from "./stored-program.ts";

export interface MeterProgramOptions {
  readonly limits: ModuleLimits;
  readonly isProfiled: boolean;
}

/**
 * Meters a module, or all modules of a component.
 *
 * @throws {WasmError} `BAD_MODULE`, `UNSUPPORTED`, `MODULE_TOO_LARGE`, `NOT_INSTALLED`
 */
export async function meterProgram(bytes: Uint8Array, options: MeterProgramOptions): Promise<StoredProgram> {
  const { limits, isProfiled } = options;
  const placement = isProfiled ? "plain" : "fast";
  const common = { placement, profile: isProfiled, limits } as const;
  if (isComponent(bytes)) {
    const prepared = await prepareComponent(bytes, {
      meter: (core) => meterModule(core, { ...common, counters: "imported", mayCatch: false }),
    });
    return { kind: "component", ...prepared };
  }
  const core = meterModule(bytes, { ...common, counters: "own" });
  return { kind: "module", abi: guessAbi(core.facts), core };
}

/**
 * Compiles what was metered. V8 has limits of its own, which a module may have reached only by being metered.
 *
 * @throws {WasmError} `UNSUPPORTED`
 */
export function compileProgram(stored: StoredProgram, source: Compiled["source"]): Compiled {
  const { abi } = stored;
  if (stored.kind === "module") {
    const program = { kind: "module", ...compileCore(stored.core) } as const;
    return { abi, program, modules: [stored.core.facts], source };
  }
  const { glue, imports, exports } = stored;
  const modules = new Map(Array.from(stored.modules, ([name, core]) => [name, compileCore(core)] as const));
  return {
    abi,
    program: { kind: "component", modules, glue, imports, exports },
    modules: Array.from(stored.modules.values(), ({ facts }) => facts),
    source,
  };
}

function compileCore(core: Metered): {
  readonly module: WasmModule;
  readonly facts: ModuleFacts;
  readonly start: string | undefined;
} {
  const { facts, start } = core;
  try {
    return { module: compile(core.bytes), facts, start };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new WasmError(
      "UNSUPPORTED",
      `The module is valid, and with what the meter adds it is more than V8 takes (${reason}); split its largest functions`,
      { cause: error, details: { what: "its size, when metered" } },
    );
  }
}

function compile(bytes: Uint8Array): WasmModule {
  return new Wasm.Module(bytes);
}
