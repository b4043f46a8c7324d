import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** Below it, a folder for each package that was unpacked. */
const UNPACKED: string = resolve(import.meta.dirname, "..", ".cache", "debian");

const APT = "apt-get";

/** Whether a command ends well; what it says is nobody's concern. */
export function runs(
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): boolean {
  return spawnSync(command, args, { ...options, stdio: "ignore" }).status === 0;
}

/** Where the files of `name` end up. */
export function unpackedAt(name: string): string {
  return join(UNPACKED, name);
}

/**
 * Unpacks Debian packages into {@link unpackedAt} without installing them: the package of a server would
 * start the server. False where that cannot be done.
 *
 * @param name of the folder
 */
export function unpackDebian(name: string, packages: readonly string[]): boolean {
  const folder = unpackedAt(name);
  mkdirSync(folder, { recursive: true });
  const download = () => runs(APT, ["download", ...packages], { cwd: folder });
  // A fresh machine has no package lists yet.
  if (!download() && !(runs(APT, ["update"]) && download())) return false;
  const archives = readdirSync(folder).filter((file) => file.endsWith(".deb"));
  const areUnpacked = archives.every((file) => runs("dpkg-deb", ["-x", file, "."], { cwd: folder }));
  for (const file of archives) rmSync(join(folder, file));
  return archives.length > 0 && areUnpacked;
}

/** These packages and those they need that this system has not got; empty where it is not known. */
export function withDependencies(packages: readonly string[]): readonly string[] {
  // What lies in apt's own cache would be left out: it asks what is to be downloaded.
  const cache = mkdtempSync(join(tmpdir(), "apt-archives-"));
  mkdirSync(join(cache, "partial"));
  const options = [
    "--print-uris",
    "--quiet=2",
    "--no-install-recommends",
    "-o",
    `Dir::Cache::archives=${cache}`,
  ];
  const ask = () => spawnSync(APT, ["install", ...options, ...packages], { encoding: "utf8" });
  try {
    let answer = ask();
    // A fresh machine has no package lists yet.
    if (answer.status !== 0 && runs(APT, ["update"])) answer = ask();
    // 'http://host/pool/main/r/re2/libre2-9_20220601_amd64.deb' libre2-9_20220601_amd64.deb 105876 MD5Sum:...
    const lines = (answer.stdout ?? "").matchAll(/^'[^']*' ([^_\s]+)_/gm);
    return answer.status === 0 ? Array.from(lines, ([, found = ""]) => found) : [];
  } finally {
    rmSync(cache, { recursive: true });
  }
}

/**
 * Writes a script for each program into `bin` below a folder: programs that are not installed do not find what they
 * were unpacked with. One that was not unpacked, since the system has it, is called where it is installed.
 *
 * @param programs with the arguments that come before those of whoever calls them
 * @param settings lines of shell that come first
 */
export function writeWrappers(
  folder: string,
  programs: Readonly<Record<string, readonly string[]>>,
  settings: readonly string[] = [],
): void {
  const bin = join(folder, "bin");
  mkdirSync(bin, { recursive: true });
  for (const [program, args] of Object.entries(programs)) {
    const places = [join(folder, "usr", "bin", program), `/usr/bin/${program}`];
    const place = places.find((path) => existsSync(path));
    // A script that leads nowhere would hide one that is elsewhere on the PATH.
    if (place === undefined) continue;
    const command = [place, ...args];
    const script = [
      "#!/bin/sh",
      `for lib in '${folder}'/usr/lib/*-linux-gnu*; do LD_LIBRARY_PATH="$lib\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"; done`,
      "export LD_LIBRARY_PATH",
      ...settings,
      `exec ${command.map((word) => `'${word}'`).join(" ")} "$@"`,
      "",
    ];
    writeFileSync(join(bin, program), script.join("\n"), { mode: 0o755 });
  }
}
