/** Makes Binaryen read, optimize and write a module, and prints what came out. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

interface BinaryenModule {
  setFeatures(features: number): void;
  optimize(): void;
  validate(): number;
  emitBinary(): Uint8Array;
  emitText(): string;
}

interface Binaryen {
  readonly Features: { readonly All: number };
  readBinary(bytes: Uint8Array): BinaryenModule;
}

// Binaryen comes with jco.
const jco = createRequire(import.meta.resolve("@bytecodealliance/jco"));
const { default: binaryen } = (await import(pathToFileURL(jco.resolve("binaryen")).href)) as {
  readonly default: Binaryen;
};
const [file] = process.argv.slice(2);
const module = binaryen.readBinary(new Uint8Array(readFileSync(file ?? "")));
module.setFeatures(binaryen.Features.All);
module.optimize();
const sha256 = (data: Uint8Array | string) => createHash("sha256").update(data).digest("hex");
process.stdout.write(
  JSON.stringify({
    isValid: module.validate(),
    binary: sha256(module.emitBinary()),
    text: sha256(module.emitText()),
  }),
);
