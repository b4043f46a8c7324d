import { constants, createContext, Script } from "node:vm";
import { WasmError } from "../errors.ts";
import type { ThreadProgram } from "../thread/protocol.ts";
import { Wasm, type WasmImports, type WasmModule } from "../web-assembly.ts";

type ComponentProgram = Extract<ThreadProgram, { readonly kind: "component" }>;
export type CoreModule = ComponentProgram["modules"] extends ReadonlyMap<string, infer T> ? T : never;

/** `instantiate` of jco, in the mode `sync`. */
export type Instantiate = (
  getCore: (name: string) => WasmModule,
  imports: Readonly<Record<string, unknown>>,
  instantiateCore: (module: WasmModule, imports?: WasmImports) => { readonly exports: unknown },
) => Readonly<Record<string, unknown>>;

const BEGIN = /^export function instantiate\(/m;
const END = /^export const _util = /m;

/**
 * Makes a script of the ES module that jco writes, whose value is the function `instantiate`.
 *
 * @throws {WasmError} `UNSUPPORTED` when the module is not as jco writes it
 */
export function toScript(glue: string): string {
  if (!BEGIN.test(glue) || !END.test(glue)) {
    throw new WasmError(
      "UNSUPPORTED",
      "The installed @bytecodealliance/jco writes JavaScript that is not known here; run: npm install @bytecodealliance/jco@1.35.0",
      { details: { what: "@bytecodealliance/jco" } },
    );
  }
  return `${glue.replace(BEGIN, "function instantiate(").replace(END, "const _util = ")}\ninstantiate;\n`;
}

const scripts = new WeakMap<ComponentProgram, Script>();

/** Hears of each text before it is decoded, how many bytes it has; may throw. */
export type OnDecode = (sizeBytes: number) => void;

/**
 * Evaluates the JavaScript of a component in a new context, for one run.
 *
 * A context of `node:vm` and not a function with names shadowed: in a context there is no `process`, `require`,
 * `fetch`, `import()` or timer to begin with, and nothing of one run's is left for the next. It is no wall by itself: the
 * objects that are passed in belong to the outer world. The wall is that the JavaScript is jco's alone, see
 * `prepareComponent`; this is the ditch behind it.
 *
 * Strings are decoded strictly, since invalid UTF-8 is a trap in the component model and jco's own decoder would mend
 * it.
 */
export function evaluateGlue(program: ComponentProgram, onDecode: OnDecode = ignore): Instantiate {
  let script = scripts.get(program);
  if (script === undefined) {
    script = new Script(program.glue, { filename: "component.js" });
    scripts.set(program, script);
  }
  // An ordinary global object: one with Node's interceptors costs a microsecond for each global that the glue uses.
  const context = createContext(constants.DONT_CONTEXTIFY, {
    name: "component",
    codeGeneration: { strings: false, wasm: false },
  });
  Object.assign(context, globalsOfGlue(onDecode));
  return script.runInContext(context) as Instantiate;
}

function globalsOfGlue(onDecode: OnDecode): object {
  class StrictDecoder extends TextDecoder {
    constructor(label?: string) {
      super(label, { fatal: true, ignoreBOM: true });
    }

    override decode(bytes?: NodeJS.ArrayBufferView | ArrayBuffer): string {
      onDecode(bytes?.byteLength ?? 0);
      return super.decode(bytes);
    }
  }
  return {
    // No Module and no Instance: core modules come only from the engine.
    WebAssembly: Object.freeze({ Global: Wasm.Global, RuntimeError: Wasm.RuntimeError, promising }),
    TextDecoder: StrictDecoder,
    TextEncoder,
    // It says why it throws, again.
    console: Object.freeze({ debug: ignore, error: ignore, log: ignore, warn: ignore }),
  };
}

/**
 * The glue asks for it with each allocator, and uses it in asynchronous functions alone, which there are none of. Where
 * it is missing the glue goes on with the function as it is, too; but V8 reads all of the glue again to say in the error
 * what is missing, which takes ten milliseconds each time.
 */
function promising<T>(allocator: T): T {
  return allocator;
}

function ignore(): void {
  // Nothing: what is written there is also thrown.
}
