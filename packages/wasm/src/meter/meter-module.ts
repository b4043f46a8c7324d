import { Wasm } from "../web-assembly.ts";
import { AppendedFunctions, AppendedTypes } from "./appended.ts";
import { BodyRewriter } from "./body-rewriter.ts";
import { BodyScanner, type ScannedBody } from "./body-scanner.ts";
import { ByteWriter } from "./bytes.ts";
import { checkMeterable } from "./compilable.ts";
import { VALUE_TYPE } from "./facts.ts";
import type { FunctionPlan, ModuleShape } from "./flow-graph.ts";
import { Helpers } from "./helpers.ts";
import { COUNTER_TYPES, countersFrom } from "./injected.ts";
import { COUNTERS_MODULE, type MeterModule, type MeterOptions, RESERVED_PREFIX } from "./meter.ts";
import { moduleFacts } from "./module-facts.ts";
import { EXTERN, type ModuleParts } from "./module-parts.ts";
import { readModule } from "./module-reader.ts";
import { ModuleWriter, START_EXPORT } from "./module-writer.ts";
import { plainPlacement } from "./plain-placement.ts";
import { planModule } from "./plan.ts";
import { badModule, tooLarge, unsupported } from "./refusals.ts";
import { appendWrappers, twinTypes } from "./wrappers.ts";

/** All bodies of a module, scanned. */
interface Scan {
  readonly scanner: BodyScanner;
  readonly bodies: readonly ScannedBody[];
  /** First site of each body; one more at the end. */
  readonly firstSite: Uint32Array;
  readonly mayCatch: boolean;
}

/**
 * Meters a core module of WebAssembly: adds what counts fuel, stack, pages and elements, and keeps the rest.
 *
 * @throws {WasmError} `BAD_MODULE`, `UNSUPPORTED` with what it uses that is not metered, `MODULE_TOO_LARGE`
 */
export const meterModule: MeterModule = (bytes, options) => {
  checkValid(bytes);
  // A plain view, so that the code that reads every byte of it sees one kind of array.
  const parts = readModule(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  checkNames(parts);
  checkSizes(parts, options.limits);
  const scan = scanModule(parts, options);
  const plans = planBodies(parts, scan, options);
  const metered = rewriteModule(parts, { scan, plans, options });
  return {
    bytes: metered,
    facts: moduleFacts(parts, metered.length),
    start: parts.start === undefined ? undefined : START_EXPORT,
  };
};

function checkValid(bytes: Uint8Array): void {
  if (!Wasm.validate(bytes)) {
    const error = errorOf(() => new Wasm.Module(bytes));
    throw badModule(
      `the module is not valid (${error instanceof Error ? error.message : "V8 says no more"})`,
      error,
    );
  }
}

function errorOf(action: () => unknown): unknown {
  try {
    action();
    return undefined;
  } catch (error) {
    return error;
  }
}

function checkNames(parts: ModuleParts): void {
  for (const { name } of parts.exports) {
    if (name.startsWith(RESERVED_PREFIX)) {
      throw unsupported(`an export with the name ${name}, which the meter's own begin with`);
    }
  }
  for (const { module } of parts.imports) {
    if (module === COUNTERS_MODULE) {
      throw unsupported(`an import of ${COUNTERS_MODULE}, which is the meter's own`);
    }
  }
}

function checkSizes(parts: ModuleParts, limits: MeterOptions["limits"]): void {
  const { bodyFrom, bodyTo } = parts;
  if (bodyFrom.length > limits.functions) {
    throw tooLarge("functions", limits.functions, bodyFrom.length);
  }
  // They are told of one by one, to whoever prepares the module and to its threads.
  const names = parts.imports.length + parts.exports.length;
  if (names > limits.functions) {
    throw tooLarge("imports and exports", limits.functions, names);
  }
  for (const [own, from] of bodyFrom.entries()) {
    const length = (bodyTo[own] as number) - from;
    if (length > limits.functionBytes) {
      throw tooLarge(`bytes of function ${own}`, limits.functionBytes, length);
    }
  }
}

/** Whether exceptions may be caught is known only once all is scanned; mostly the tags say it before. */
function scanModule(parts: ModuleParts, options: MeterOptions): Scan {
  const scan = scanBodies(parts, options, options.mayCatch ?? parts.tags.length > 0);
  return scan.scanner.hasHandlers && !scan.mayCatch ? scanBodies(parts, options, true) : scan;
}

function scanBodies(parts: ModuleParts, options: MeterOptions, mayCatch: boolean): Scan {
  const scanner = new BodyScanner(parts, {
    isEvery: options.placement === "every",
    mayCatch,
    movesGlobals: options.counters === "imported",
  });
  const count = parts.bodyFrom.length;
  const bodies: ScannedBody[] = [];
  const firstSite = new Uint32Array(count + 1);
  let edges = 0;
  for (let own = 0; own < count; own++) {
    firstSite[own] = scanner.flow.sites.count;
    const body = scanner.scan(own);
    bodies.push(body);
    edges += body.graph.edgeTarget.length;
    checkMeterable({ sites: scanner.flow.sites.count, edges });
  }
  firstSite[count] = scanner.flow.sites.count;
  return { scanner, bodies, firstSite, mayCatch };
}

function shapeOf(parts: ModuleParts, scan: Scan, options: MeterOptions): ModuleShape {
  const importedFunctions = parts.imported[EXTERN.function] as number;
  const isVisible = new Uint8Array(scan.bodies.length);
  const see = (index: number): void => {
    if (index >= importedFunctions) {
      isVisible[index - importedFunctions] = 1;
    }
  };
  for (const { kind, index } of parts.references) {
    if (kind === EXTERN.function) {
      see(index);
    }
  }
  const { referenced } = scan.scanner;
  for (let at = 0; at < referenced.length; at++) {
    see(referenced.at(at));
  }
  if (parts.start !== undefined) {
    see(parts.start);
  }
  return {
    importedFunctions,
    graphs: scan.bodies.map(({ graph }) => graph),
    frameBytes: new Uint32Array(scan.bodies.map(({ frameBytes }) => frameBytes)),
    typeOf: new Uint32Array(
      parts.functions.slice(importedFunctions).map((type) => parts.canonicalTypes[type] as number),
    ),
    indirectTypes: scan.bodies.map(({ indirectTypes }) => indirectTypes),
    isVisible,
    mayReenter: options.counters === "imported",
    mayCatch: scan.mayCatch,
  };
}

function planBodies(parts: ModuleParts, scan: Scan, options: MeterOptions): readonly FunctionPlan[] {
  const plans = planModule(shapeOf(parts, scan, options));
  if (isFast(options)) {
    return plans;
  }
  return scan.bodies.map(({ graph }, own) => plainPlacement(graph, plans[own]));
}

/** Profiles tell whose fuel it is, so nothing may be charged elsewhere. */
function isFast(options: MeterOptions): boolean {
  return options.placement === "fast" && options.profile !== true;
}

interface Rewriting {
  readonly scan: Scan;
  readonly plans: readonly FunctionPlan[];
  readonly options: MeterOptions;
}

function rewriteModule(parts: ModuleParts, { scan, plans, options }: Rewriting): Uint8Array<ArrayBuffer> {
  const hasOwnCounters = options.counters === "own";
  const counters = countersFrom(
    hasOwnCounters ? parts.globals.length : (parts.imported[EXTERN.global] as number),
  );
  const globalShift = hasOwnCounters ? 0 : COUNTER_TYPES.length;
  const types = new AppendedTypes(parts);
  const functions = new AppendedFunctions(parts);
  const twins = twinTypes(parts, plans, types);
  const { hasTailCalls } = scan.scanner;
  const wrappers = appendWrappers({ parts, plans, counters, types, functions, hasTailCalls });
  const profileTable = options.profile === true ? parts.tables.length : undefined;
  const rewriter = new BodyRewriter({
    parts,
    flow: scan.scanner.flow,
    plans,
    counters,
    helpers: new Helpers(parts, counters, { types, functions }),
    types,
    wrappers,
    globalShift,
    hasLoopFuel: isFast(options),
    mayReenter: options.counters === "imported",
    profile:
      profileTable === undefined
        ? undefined
        : { type: types.indexOf([VALUE_TYPE.i32], []), table: profileTable },
  });
  const bodies = new ByteWriter(parts.bytes.length + 4096);
  for (let own = 0; own < plans.length; own++) {
    rewriter.writeBody(bodies, own, [scan.firstSite[own] as number, scan.firstSite[own + 1] as number]);
  }
  return new ModuleWriter(parts, {
    counters,
    hasOwnCounters,
    globalShift,
    types,
    functions,
    twins,
    wrappers,
    bodies,
    profileTable,
  }).write();
}
