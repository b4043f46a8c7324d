/** `pnpm run pack`: builds every published package from nothing and puts its tarball into `tarballs/`. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { packCommand, publishedPackages, ROOT } from "./_published.ts";

const destination = join(ROOT, "tarballs");
// Without pnpm around it, too, the tools are those of the repository.
const PATH = `${join(ROOT, "node_modules", ".bin")}${delimiter}${process.env["PATH"] ?? ""}`;

function run([program, ...args]: readonly [string, ...string[]]): void {
  const { status, error } = spawnSync(program, args, {
    cwd: ROOT,
    env: { ...process.env, PATH },
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${String(status)}`);
}

rmSync(destination, { recursive: true, force: true });
mkdirSync(destination);
// What a deleted source once compiled to would be packed as well.
for (const name of publishedPackages())
  rmSync(join(ROOT, "packages", name, "dist"), { recursive: true, force: true });
// Only what is packed: a test that does not compile is no reason to publish nothing.
run(["tsc", "-b", ...publishedPackages().map((name) => `packages/${name}`)]);
run(packCommand(destination));
process.stdout.write(`${readdirSync(destination).length} tarballs in ${destination}\n`);
