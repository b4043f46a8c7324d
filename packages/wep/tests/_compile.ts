import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const PACKAGE = fileURLToPath(new URL("..", import.meta.url));
const TSC = join(PACKAGE, "..", "..", "node_modules", ".bin", "tsc");

/** As strict as a partner may be, and what the types of their handlers are written to. */
const TSCONFIG = {
  compilerOptions: {
    target: "es2024",
    lib: ["es2024", "dom", "esnext.disposable"],
    module: "nodenext",
    moduleDetection: "force",
    types: [],
    customConditions: ["@subnet-worker/source"],
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    noUnusedLocals: true,
    verbatimModuleSyntax: true,
    erasableSyntaxOnly: true,
    isolatedDeclarations: true,
    allowImportingTsExtensions: true,
    declaration: true,
    noEmit: true,
    skipLibCheck: true,
  },
  include: ["src"],
};

/** A project in a folder of its own, which has the packages that `wep` has. */
export class Project implements Disposable {
  readonly directory: string = mkdtempSync(join(tmpdir(), "wep-compile-"));

  constructor() {
    symlinkSync(join(PACKAGE, "node_modules"), join(this.directory, "node_modules"));
    writeFileSync(join(this.directory, "package.json"), '{ "type": "module" }');
    writeFileSync(join(this.directory, "tsconfig.json"), JSON.stringify(TSCONFIG));
  }

  /** @param path relative to `src` */
  write(path: string, text: string): void {
    const file = join(this.directory, "src", path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }

  /** What the compiler has against the project's own files, below `src`: `a.ts: TS2339: Property ...`. */
  problems(): readonly string[] {
    const { stdout, status, error } = spawnSync(TSC, ["-p", this.directory, "--pretty", "false"], {
      cwd: this.directory,
      encoding: "utf8",
      maxBuffer: 1 << 28,
    });
    if (error !== undefined) throw error;
    if (status !== 0 && !/\): error TS\d+: /.test(stdout)) throw new Error(`tsc failed: ${stdout}`);
    return Array.from(
      stdout.matchAll(/^src\/(?<file>\S+)\(\d+,\d+\): error (?<what>.*)$/gm),
      ({ groups }) => `${groups?.["file"]}: ${groups?.["what"]}`,
    );
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
