import { parentPort, workerData } from "node:worker_threads";
import type * as Jco from "@bytecodealliance/jco";
import { Wasm } from "../web-assembly.ts";
import { capMemory } from "./cap-memory.ts";

/** What {@link transpile} gives the thread. */
export interface JcoThreadData {
  readonly component: Uint8Array;
}

/** What the thread says, once. */
export type FromJcoThread =
  | {
      readonly kind: "transpiled";
      readonly files: Readonly<Record<string, Uint8Array>>;
    }
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "not_installed" };

/**
 * Pages of 64 KiB that jco may take: 1 GiB. Types of a component are written out wherever they are used, so a few
 * kilobytes can ask for any amount of JavaScript.
 */
const JCO_PAGES = 16_384;

// More than the type of its own options names: they reach `transpileBytes` of jco as they are.
const OPTIONS = {
  name: "component",
  instantiation: "sync" as const,
  emitTypescriptDeclarations: false,
  nodejsCompat: false,
  wasiShim: false,
  base64Cutoff: 0,
  // Adapters between components use several memories, as V8 does.
  multiMemory: true,
};

async function main(): Promise<FromJcoThread> {
  const jco = await loadJco();
  if (jco === undefined) return { kind: "not_installed" };
  const { component } = workerData as JcoThreadData;
  try {
    const { files } = await jco.transpile(component, OPTIONS);
    return { kind: "transpiled", files };
  } catch (error) {
    return { kind: "failed", message: String(error) };
  }
}

async function loadJco(): Promise<typeof Jco | undefined> {
  try {
    return await import("@bytecodealliance/jco");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}

const compile = Wasm.compile.bind(Wasm);
Object.assign(Wasm, { compile: (bytes: Uint8Array) => compile(capMemory(bytes, JCO_PAGES)) });
const answer = await main();
parentPort?.postMessage(answer);
