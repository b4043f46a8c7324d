import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("./program.c", import.meta.url));
const CACHE = fileURLToPath(new URL("../../../.cache/", import.meta.url));
const FLAGS = [
  "--target=wasm32-wasi",
  "-O2",
  "-DSQLITE_OS_OTHER=1",
  "-DSQLITE_THREADSAFE=0",
  "-DSQLITE_OMIT_LOAD_EXTENSION",
  "-DSQLITE_OMIT_LOCALTIME",
  "-DSQLITE_TEMP_STORE=3",
  "-DSQLITE_DEFAULT_MEMSTATUS=0",
  "-DSQLITE_ENABLE_MATH_FUNCTIONS",
  "-mexec-model=reactor",
  "-nostartfiles",
  "-Wl,--no-entry",
  "-Wl,--strip-all",
  // Below it there is room for the input, which the host writes at address 0.
  "-Wl,--global-base=65536",
];

/**
 * SQLite as a WebAssembly module: 1.1 MB that really run, from the source that better-sqlite3 brings along. Needs
 * clang and wasi-libc; the compiler takes about a minute, once.
 */
export function buildSqlite(): Uint8Array<ArrayBuffer> {
  const packageFile = fileURLToPath(import.meta.resolve("better-sqlite3/package.json"));
  const folder = join(dirname(packageFile), "deps/sqlite3");
  const sources = [PROGRAM, join(folder, "sqlite3.c")];
  const hash = createHash("sha256").update(FLAGS.join(" "));
  for (const file of sources) hash.update(readFileSync(file));
  const built = join(CACHE, `sqlite-${hash.digest("hex").slice(0, 16)}.wasm`);
  if (!existsSync(built)) {
    mkdirSync(CACHE, { recursive: true });
    process.stderr.write("Compiling SQLite to WebAssembly, which takes a minute.\n");
    execFileSync("clang", [...FLAGS, "-I", folder, "-o", `${built}.part`, ...sources]);
    renameSync(`${built}.part`, built);
  }
  return new Uint8Array(readFileSync(built));
}
