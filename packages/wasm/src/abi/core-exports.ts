import type { ExternFact, FunctionTypeFact, ModuleFacts } from "../meter/facts.ts";
import type { AbiEnd } from "../thread/protocol.ts";
import type { WasmMemory } from "../web-assembly.ts";

type MissingExport = Extract<AbiEnd, { readonly kind: "missing_export" }>;

/** The end of a run of a component by an ABI that is for core modules. */
export function notCoreModule(name: string): MissingExport {
  return {
    kind: "missing_export",
    name,
    message: `this is a component, which has no ${name}; run it by the ABI "cli" or "handler"`,
  };
}

/** Says what is wrong when a module does not export a function of that type; `undefined` when it does. */
export function missingFunction(
  facts: ModuleFacts,
  name: string,
  type: FunctionTypeFact,
): MissingExport | undefined {
  const found = facts.exports.find((candidate) => candidate.name === name)?.type;
  if (found?.kind === "function" && describe(found) === describe(type)) return undefined;
  const wanted = `the function ${name} ${describe(type)}`;
  const message =
    found === undefined
      ? `the module does not export ${wanted}; export it, or run the module by another ABI`
      : `the module exports ${name} as ${describeExtern(found)}, and not ${wanted}; export it with that type`;
  return { kind: "missing_export", name, message };
}

/** Says what is wrong when a module does not export its memory; `undefined` when it does. */
export function missingMemory(facts: ModuleFacts): MissingExport | undefined {
  const isThere = facts.exports.some(({ name, type }) => name === "memory" && type.kind === "memory");
  if (isThere) return undefined;
  const message = 'the module does not export its memory as "memory"; export it';
  return { kind: "missing_export", name: "memory", message };
}

/** The memory that a module exports, `undefined` when it exports none. */
export function memoryOf(
  facts: ModuleFacts,
  exports: Readonly<Record<string, unknown>>,
): WasmMemory | undefined {
  return missingMemory(facts) === undefined ? (exports["memory"] as WasmMemory) : undefined;
}

function describe(type: FunctionTypeFact): string {
  return `(${type.params.join(", ")}) -> (${type.results.join(", ")})`;
}

function describeExtern(type: ExternFact): string {
  return type.kind === "function" ? describe(type) : `a ${type.kind}`;
}
