import { EXIT } from "@subnet-worker/kit";
import {
  createEngine,
  type Engine,
  type ExternFact,
  type FunctionTypeFact,
  type ModuleFacts,
  type Program,
} from "@subnet-worker/wasm";
import { flagOption, type Invocation } from "./command.ts";
import { argumentAt } from "./spec-file.ts";
import { readBytes, withFile } from "./wasm-file.ts";

/** What there is to say of a file. */
interface Report {
  readonly path: string;
  readonly program: Program;
  /** Why a worker would not run it; `undefined`: it would. */
  readonly refusal: string | undefined;
}

/**
 * `wep wasm inspect`: shows imports, exports, ABI, sizes, and whether a worker would run it.
 *
 * @throws {StartupError} exit code 1 for what is no module or is not supported, 78 for a file that cannot be read
 */
export async function wasmInspect(invocation: Invocation): Promise<number> {
  const { io, args, signal } = invocation;
  const path = argumentAt(args, 0);
  const bytes = readBytes(io, path);
  await using engine = createEngine({ threads: 1 });
  const program = await withFile(path, () => engine.prepare(bytes, signal));
  const report = { path, program, refusal: await refusalOf(engine, program) };
  io.out(flagOption(invocation, "json") ? `${JSON.stringify(toJson(report), null, 2)}\n` : toText(report));
  return report.refusal === undefined ? EXIT.ok : EXIT.fault;
}

/**
 * Runs it without fuel: whatever it lacks, or may not import, is found before the first operator. What it needs
 * more than a worker has by default is told too.
 */
async function refusalOf(engine: Engine, program: Program): Promise<string | undefined> {
  if (program.abi === undefined) {
    return "its exports fit no ABI: a worker calls execute, _start, wasi:cli/run or subnet:worker/handler; give --abi to wep wasm run if it has one of them all the same";
  }
  const outcome = await engine.run(program, { limits: { fuel: 0n } });
  switch (outcome.kind) {
    case "missing_export":
    case "refused_import":
      return outcome.message;
    case "memory_limit":
      return `it needs ${outcome.neededBytes} bytes of memory from the start, and a run has ${outcome.limitBytes} by default`;
    case "table_limit":
      return `it needs ${outcome.neededElements} elements in tables from the start, and a run has ${outcome.limitElements} by default`;
    default:
      return undefined;
  }
}

function toJson({ path, program, refusal }: Report): object {
  const { sha256, abi, modules, prepareMs } = program;
  const shown = modules.map(({ functionNames, ...facts }) => ({
    ...facts,
    namedFunctions: functionNames.filter((name) => name !== undefined).length,
  }));
  return {
    file: path,
    sha256,
    abi: abi ?? null,
    refusal: refusal ?? null,
    prepare_ms: prepareMs,
    modules: shown,
  };
}

function toText({ path, program, refusal }: Report): string {
  const { sha256, abi, modules } = program;
  const head = [
    `${path}: ${modules.length === 1 ? "a core module" : `a component of ${modules.length} core modules`}`,
    `sha256    ${sha256}`,
    `abi       ${abi ?? "none that a worker knows"}`,
    `fuel      1 for each operator and each call, 0 for blocks and constants of declarations, 1 for each byte that bulk operators move`,
    `refused   ${refusal ?? "nothing: a worker would run it"}`,
  ];
  const parts = modules.flatMap((facts, index) => [
    "",
    ...(modules.length === 1 ? [] : [`core module ${index}`]),
    ...ofModule(facts),
  ]);
  return `${[...head, ...parts].join("\n")}\n`;
}

function ofModule(facts: ModuleFacts): readonly string[] {
  const named = facts.functionNames.filter((name) => name !== undefined).length;
  const growth = ((facts.meteredBytes / facts.bytes - 1) * 100).toFixed(0);
  return [
    `size      ${facts.bytes} bytes, ${facts.meteredBytes} metered (${growth} % more)`,
    `functions ${facts.functionCount}, ${named} with names${facts.hasStart ? ", one runs at the start" : ""}`,
    `memory    ${facts.memoryMinPages * 64} KiB from the start`,
    `tables    ${facts.tableMinElements} elements from the start`,
    "imports",
    ...listed(facts.imports.map(({ module, name, type }) => [`${module}.${name}`, typeText(type)])),
    "exports",
    ...listed(facts.exports.map(({ name, type }) => [name, typeText(type)])),
  ];
}

function listed(rows: readonly (readonly [name: string, type: string])[]): readonly string[] {
  if (rows.length === 0) return ["  none"];
  const width = Math.min(60, Math.max(...rows.map(([name]) => name.length)));
  // Names are the module's own, and may hold anything.
  return rows.map(([name, type]) => `  ${name.replaceAll(/\p{C}/gu, "?").padEnd(width)}  ${type}`);
}

function typeText(type: ExternFact): string {
  switch (type.kind) {
    case "function":
      return functionText(type);
    case "tag":
      return `exception ${functionText(type)}`;
    case "memory":
      return `memory ${sizes(type)} pages of 64 KiB`;
    case "table":
      return `table of ${sizes(type)} ${type.element}`;
    case "global":
      return `global ${type.isMutable ? "mut " : ""}${type.type}`;
  }
}

function functionText({ params, results }: FunctionTypeFact): string {
  const result = results.length === 1 ? results[0] : `(${results.join(", ")})`;
  return `(${params.join(", ")}) -> ${result}`;
}

function sizes({ min, max }: { readonly min: number; readonly max: number | undefined }): string {
  return max === undefined ? `${min} or more` : min === max ? `${min}` : `${min} to ${max}`;
}
