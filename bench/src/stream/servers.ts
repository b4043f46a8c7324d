import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chownSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "@subnet-worker/e2e/lab/rpc-proxy";
import { until } from "@subnet-worker/e2e/lab/until";

/** A server of a Debian package, on a port of its own, with nothing in it. */
export interface Server extends AsyncDisposable {
  readonly port: number;
}

const PACKAGES = { "redis-server": "/usr/bin/redis-server", postgresql: "/usr/lib/postgresql" } as const;

/** Installs what is missing. @returns why a package cannot be had, or `undefined` */
export function missing(debianPackage: keyof typeof PACKAGES): string | undefined {
  const isThere = () => spawnSync("test", ["-e", PACKAGES[debianPackage]]).status === 0;
  if (isThere()) return undefined;
  const apt = (...args: string[]) =>
    // RUNLEVEL=1: the package does not start its own server.
    spawnSync("apt-get", args, { stdio: "ignore", env: { ...process.env, RUNLEVEL: "1" } }).status === 0;
  const install = () => apt("install", "-y", "--no-install-recommends", debianPackage);
  if (!install() && !(apt("update") && install())) {
    return `the Debian package ${debianPackage} is not to be had here`;
  }
  return isThere() ? undefined : `${PACKAGES[debianPackage]} is not there after installing ${debianPackage}`;
}

/** Redis as it comes: snapshots to disk now and then, no append-only file, so that no job waits for the disk. */
export async function startRedis(): Promise<Server> {
  const dir = mkdtempSync(join(tmpdir(), "bench-redis-"));
  const port = await freePort();
  const args = ["--port", String(port), "--dir", dir];
  return start({
    command: PACKAGES["redis-server"],
    args,
    dir,
    port,
    isReady: () => isListening(port),
  });
}

/** PostgreSQL as it comes, but for how many may connect: every commit is on disk before it is answered. */
export async function startPostgres({ connections }: { readonly connections: number }): Promise<Server> {
  const [version] = readdirSync(PACKAGES.postgresql).toSorted((a, b) => Number(b) - Number(a));
  const bin = join(PACKAGES.postgresql, version ?? "", "bin");
  const dir = mkdtempSync(join(tmpdir(), "bench-postgres-"));
  const port = await freePort();
  // It refuses to run as root.
  const owner = process.getuid?.() === 0 ? idsOf("postgres") : undefined;
  if (owner !== undefined) chownSync(dir, owner.uid, owner.gid);
  const data = join(dir, "data");
  execFileSync(join(bin, "initdb"), ["-D", data, "-U", "bench", "-A", "trust"], {
    ...owner,
    cwd: dir,
    stdio: "ignore",
  });
  const limits = ["-c", `max_connections=${connections}`];
  const args = ["-D", data, "-p", String(port), "-k", dir, "-h", "127.0.0.1", ...limits];
  const isReady = () =>
    spawnSync(join(bin, "pg_isready"), ["-h", "127.0.0.1", "-p", String(port)], { stdio: "ignore" })
      .status === 0;
  return start({ command: join(bin, "postgres"), args, dir, port, isReady, ...owner });
}

function idsOf(name: string): { readonly uid: number; readonly gid: number } {
  const id = (flag: string) => Number(execFileSync("id", [flag, name], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}

interface Start {
  readonly command: string;
  readonly args: readonly string[];
  readonly dir: string;
  readonly port: number;
  readonly isReady: () => boolean | Promise<boolean>;
  readonly uid?: number;
  readonly gid?: number;
}

async function start({ command, args, dir, port, isReady, ...user }: Start): Promise<Server> {
  const child = spawn(command, args, { ...user, cwd: dir, stdio: "ignore" });
  const exited = once(child, "exit");
  const kill = () => child.kill("SIGKILL");
  process.on("exit", kill);
  const server: Server = {
    port,
    async [Symbol.asyncDispose]() {
      process.off("exit", kill);
      child.kill("SIGINT");
      await exited;
      rmSync(dir, { recursive: true, force: true });
    },
  };
  await until(`${command} to answer`, isReady);
  return server;
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false; // asked again until it is there
  } finally {
    socket.destroy();
  }
}
