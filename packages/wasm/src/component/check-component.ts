import type { Abi } from "../abi/abi.ts";
import { WasmError } from "../errors.ts";
import type { ModuleFacts } from "../meter/facts.ts";
import type { ComponentExtern, ComponentOutline } from "./component-sections.ts";

/** Interfaces of WASI 0.2 that there are, by package. Whether a run grants them is another matter. */
const WASI: Readonly<Record<string, readonly string[]>> = {
  cli: [
    "environment",
    "exit",
    "stdin",
    "stdout",
    "stderr",
    "terminal-input",
    "terminal-output",
    "terminal-stdin",
    "terminal-stdout",
    "terminal-stderr",
  ],
  io: ["error", "poll", "streams"],
  clocks: ["wall-clock", "monotonic-clock"],
  random: ["random", "insecure", "insecure-seed"],
  filesystem: ["types", "preopens"],
  sockets: [
    "instance-network",
    "ip-name-lookup",
    "network",
    "tcp",
    "tcp-create-socket",
    "udp",
    "udp-create-socket",
  ],
  http: ["types", "outgoing-handler"],
};

const WASI_NAME = /^wasi:([a-z]+)\/([a-z0-9-]+)@0\.2\.\d+$/;
const OWN_NAME = /^subnet:worker\/(types|host)@0\.1\.\d+$/;
const CLI_RUN = /^wasi:cli\/run@0\.2\.\d+$/;
const OWN_TYPES = /^subnet:worker\/types@0\.1\.\d+$/;

/**
 * Names of core modules may be any text, and jco writes some of them into its JavaScript as they are. So only those
 * are let through that stay themselves between quotes of any kind, in a comment and in a template. Toolchains give no
 * others.
 */
const INERT_NAME = /^[A-Za-z0-9_.:@/[\]#$+-]*$/;

/**
 * Looks at what a component imports: only what is there, and only instances, of versions that fit.
 *
 * @throws {WasmError} `UNSUPPORTED` with the first name that is not
 */
export function checkImports(imports: readonly ComponentExtern[]): void {
  for (const { name, kind } of imports) {
    // A type by itself brings nothing along.
    if (kind === "type") continue;
    if (kind !== "instance") throw unsupported(`the import of the ${kind} ${shown(name)}`);
    if (!isKnown(name)) throw unsupported(`the import ${shown(name)}`);
  }
}

function isKnown(name: string): boolean {
  if (OWN_NAME.test(name)) return true;
  const [, pack = "", face = ""] = WASI_NAME.exec(name) ?? [];
  return Object.hasOwn(WASI, pack) && WASI[pack]?.includes(face) === true;
}

/**
 * Looks at the names that a core module of a component has: none may mean anything in JavaScript.
 *
 * @throws {WasmError} `UNSUPPORTED`
 */
export function checkCoreNames(facts: Pick<ModuleFacts, "imports" | "exports">): void {
  const names = [
    ...facts.imports.flatMap(({ module, name }) => [module, name]),
    ...facts.exports.map((e) => e.name),
  ];
  for (const name of names) {
    if (!INERT_NAME.test(name) || name === "__proto__") {
      throw unsupported(`the name ${shown(name)} for an import or export of a core module`);
    }
  }
}

/** Which ABI a component is of; `undefined` when its exports are those of none. */
export function abiOfComponent({
  imports,
  exports,
}: Pick<ComponentOutline, "imports" | "exports">): Abi | undefined {
  if (exports.some(({ name, kind }) => kind === "instance" && CLI_RUN.test(name))) return "cli";
  const hasRun = exports.some(({ name, kind }) => kind === "function" && name === "run");
  return hasRun && imports.some(({ name }) => OWN_TYPES.test(name)) ? "handler" : undefined;
}

// Names are the component's own text: for a message they are cut, and what is not plain in them is escaped.
function shown(name: string): string {
  return JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}...` : name);
}

function unsupported(what: string): WasmError {
  return new WasmError(
    "UNSUPPORTED",
    `The component uses ${what}, which is not supported; build it without`,
    {
      details: { what },
    },
  );
}
