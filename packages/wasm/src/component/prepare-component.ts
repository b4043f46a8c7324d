import type { Abi } from "../abi/abi.ts";
import { WasmError } from "../errors.ts";
import type { Metered } from "../meter/meter.ts";
import { abiOfComponent, checkCoreNames, checkImports } from "./check-component.ts";
import { outlineComponent } from "./component-sections.ts";
import { toScript } from "./glue.ts";
import { transpile } from "./transpile.ts";

export interface PrepareComponentOptions {
  /**
   * Meters a core module, with `counters: "imported"` and `mayCatch: false`: code of a component cannot catch, since
   * the component model leaves out the older exceptions, and the meter refuses the newer ones.
   *
   * @throws {WasmError} what {@link prepareComponent} then throws
   */
  readonly meter: (core: Uint8Array) => Metered;
}

/** A component, ready to be compiled; what a cache keeps of it. */
export interface PreparedComponent {
  /** What its exports say that it is; `undefined` when they say nothing. */
  readonly abi: Abi | undefined;
  /** By the names that {@link glue} asks for them. */
  readonly modules: ReadonlyMap<string, Metered>;
  /** A script whose value is the function `instantiate` of jco. Only for `runComponent`. */
  readonly glue: string;
  /** Names of its imports and exports, such as `wasi:cli/stdin@0.2.3`. */
  readonly imports: readonly string[];
  readonly exports: readonly string[];
}

/**
 * Takes a component apart: metered core modules, and the JavaScript that binds them.
 *
 * The JavaScript is code that jco writes from what an untrusted component says, and jco does not escape all of it. So no
 * component gets here whose names could be anything but names in it: those of its core modules are looked at one by one
 * (`checkCoreNames`), free-form names and custom sections do not reach jco (`outlineComponent`), and all others are
 * checked by jco to be words of letters, digits and hyphens.
 *
 * @throws {WasmError} `BAD_MODULE`, `UNSUPPORTED`, `MODULE_TOO_LARGE`, `NOT_INSTALLED`
 * @example
 *   const prepared = await prepareComponent(bytes, { meter: (core) => meterModule(core, options) });
 */
export async function prepareComponent(
  bytes: Uint8Array,
  options: PrepareComponentOptions,
): Promise<PreparedComponent> {
  const outline = outlineComponent(bytes);
  checkImports(outline.imports);
  const { glue, cores } = await transpile(outline.bare);
  const modules = new Map<string, Metered>();
  for (const [name, core] of cores) {
    const metered = options.meter(core);
    checkCoreNames(metered.facts);
    modules.set(name, metered);
  }
  if (modules.size === 0) {
    throw new WasmError("BAD_MODULE", "The component has no code; build it anew");
  }
  return {
    abi: abiOfComponent(outline),
    modules,
    glue: toScript(glue),
    imports: outline.imports.map(({ name }) => name),
    exports: outline.exports.map(({ name }) => name),
  };
}
