import type { ExternFact, ModuleFacts } from "../../meter/facts.ts";
import type { AbiEnd, RunHost } from "../../thread/protocol.ts";
import { ERRNO } from "./errno.ts";
import { type GuestMemory, POINTER_FAULT } from "./guest-memory.ts";

/** The only module that core modules may import from. */
export const WASI_MODULE = "wasi_snapshot_preview1";

/** What every function that a guest can call has of its run. */
export interface GuestCall {
  readonly host: RunHost;
  readonly memory: GuestMemory;
}

/** A function that guests may import. */
export interface Offer<Call extends GuestCall> {
  /** Types of its parameters. */
  readonly params: readonly ("i32" | "i64")[];
  /** What it returns: the number of an error, or nothing. */
  readonly results: readonly "i32"[];
  readonly call: (call: Call, ...args: never[]) => number;
}

/**
 * Describes a function that returns the number of an error.
 *
 * @param params one letter each: `i` for i32, `I` for i64
 */
export function offer<Call extends GuestCall>(params: string, call: Offer<Call>["call"]): Offer<Call> {
  return { params: Array.from(params, (letter) => (letter === "I" ? "i64" : "i32")), results: ["i32"], call };
}

export type Linked =
  | { readonly kind: "linked"; readonly imports: Readonly<Record<string, Readonly<Record<string, unknown>>>> }
  | Extract<AbiEnd, { readonly kind: "refused_import" }>;

/**
 * Finds for each import of a module the function that it means. Types are compared here, since JavaScript's own
 * linking takes any function for any type.
 *
 * @param abiName how messages call what grants the imports
 */
export function linkImports<Call extends GuestCall>(
  facts: ModuleFacts,
  offers: ReadonlyMap<string, Offer<Call>>,
  of: { readonly abiName: string; readonly call: Call },
): Linked {
  const functions: Record<string, unknown> = {};
  for (const { module, name, type } of facts.imports) {
    const offered = module === WASI_MODULE ? offers.get(name) : undefined;
    if (offered === undefined) return refuse(`${module}.${name}`, notGranted(of.abiName, offers));
    if (!isOfType(type, offered)) {
      const message = `it is imported as ${describeType(type)}, and is ${describeType({ kind: "function", ...offered })}; build the module against WASI preview 1`;
      return refuse(`${module}.${name}`, message);
    }
    functions[name] ??= bindOffer(offered, of.call);
  }
  return { kind: "linked", imports: { [WASI_MODULE]: functions } };
}

function refuse(name: string, message: string): Extract<AbiEnd, { readonly kind: "refused_import" }> {
  return { kind: "refused_import", name, message };
}

function notGranted(abiName: string, offers: ReadonlyMap<string, unknown>): string {
  const granted =
    offers.size > 10
      ? `the functions of ${WASI_MODULE}`
      : `${[...offers.keys()].join(", ")} of ${WASI_MODULE}`;
  return `${abiName} may import only ${granted}; build the module without it`;
}

function isOfType(type: ExternFact, offered: Pick<Offer<GuestCall>, "params" | "results">): boolean {
  return (
    type.kind === "function" && isSame(type.params, offered.params) && isSame(type.results, offered.results)
  );
}

function isSame(types: readonly string[], others: readonly string[]): boolean {
  return types.length === others.length && types.every((type, index) => type === others[index]);
}

function describeType(type: ExternFact): string {
  if (type.kind !== "function") return `a ${type.kind}`;
  return `(${type.params.join(", ")}) -> (${type.results.join(", ")})`;
}

function bindOffer<Call extends GuestCall>(offered: Offer<Call>, call: Call) {
  const run = offered.call as (call: Call, ...args: (number | bigint)[]) => number;
  const { host, memory } = call;
  return (...args: (number | bigint)[]): number => {
    host.enter();
    memory.refresh();
    try {
      return run(call, ...args);
    } catch (error) {
      if (error === POINTER_FAULT) return ERRNO.fault;
      throw error;
    }
  };
}
