import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { componentEmbed, componentNew, parse, preview1AdapterCommandPath } from "@bytecodealliance/jco";
import { compile } from "./_programs.ts";

/** The WIT of the world `subnet:worker/handler`. */
export const WIT: string = readFileSync(join(import.meta.dirname, "../wit/subnet-worker.wit"), "utf8");

const HEADERS = join(import.meta.dirname, "../../../examples/wasm/c");

/** Makes a component of a command of WASI preview 1. */
export async function commandComponent(core: Uint8Array): Promise<Uint8Array> {
  const adapter = readFileSync(preview1AdapterCommandPath());
  return componentNew(core, [["wasi_snapshot_preview1", adapter]]);
}

/** Makes a component of a core module that follows the canonical ABI of the world `handler`. */
export async function handlerComponent(core: Uint8Array): Promise<Uint8Array> {
  return componentNew(await componentEmbed({ binary: core, witSource: WIT, world: "handler" }), []);
}

/** `programs/handler.c`; clang must be there. */
export function handlerInC(): Promise<Uint8Array> {
  const flags = ["-O2", "-nostdlib", "-mbulk-memory", "-Wl,--no-entry", `-I${HEADERS}`];
  return handlerComponent(compile("clang", "handler.c", flags));
}

/** A component of its text. */
export function componentOfText(text: string): Promise<Uint8Array> {
  return parse(text);
}

/** A component with its first core module replaced by another one. */
export function withCore(component: Uint8Array, core: Uint8Array): Uint8Array {
  const at = 8;
  if (component[at] !== 1) throw new Error("the component does not begin with a core module");
  const { value, end } = readLeb(component, at + 1);
  const rest = component.subarray(end + value);
  return Buffer.concat([component.subarray(0, at + 1), leb(core.length), core, rest]);
}

/** A number as the binary format writes it. */
export function leb(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Uint8Array.from([...bytes, rest]);
    bytes.push((rest % 128) + 128);
  }
}

function readLeb(bytes: Uint8Array, at: number): { readonly value: number; readonly end: number } {
  let value = 0;
  for (let end = at, scale = 1; ; scale *= 128) {
    const byte = bytes[end] ?? 0;
    value += (byte & 127) * scale;
    end += 1;
    if (byte < 128) return { value, end };
  }
}

/**
 * `programs/handler.ts`, with the engine of JavaScript that it needs. Building takes most of a minute, so it is kept
 * between runs of the tests, by what it was made of.
 */
export async function handlerInTypeScript(): Promise<Uint8Array> {
  const source = readFileSync(join(import.meta.dirname, "programs/handler.ts"), "utf8");
  const { componentize, version } = await import("@bytecodealliance/componentize-js");
  const hash = createHash("sha256").update(source).update(WIT).update(version).digest("hex");
  const kept = join(tmpdir(), `subnet-worker-handler-${hash}.wasm`);
  if (existsSync(kept)) return readFileSync(kept);
  const options = { worldName: "handler" } as Parameters<typeof componentize>[2];
  const { component } = await componentize(stripTypeScriptTypes(source), WIT, options);
  const writing = `${kept}.${process.pid}`;
  writeFileSync(writing, component);
  renameSync(writing, kept);
  return component;
}
