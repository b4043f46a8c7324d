import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { reservePorts } from "../src/ports.ts";

// Away from the defaults, so that a devnet that runs beside the tests does not matter.
const DEFAULTS = { wep: 6270, wepHealth: 6271, wcpAdmin: 6280, chain: 6345, store: 6400, storageApi: 6401 };

async function listening(port: number): Promise<Server> {
  const server = createServer();
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}

describe("port reservation", () => {
  it("gives the defaults when they are free", async () => {
    await using reserved = await reservePorts(DEFAULTS);
    expect(reserved.ports).toEqual(DEFAULTS);
    expect(reserved.replaced).toEqual([]);
  });

  it("replaces a port that is taken by the next free one that is nobody's default, and says so", async () => {
    await using _taken = await listening(6270);
    await using reserved = await reservePorts(DEFAULTS);
    expect(reserved.ports).toEqual({ ...DEFAULTS, wep: 6272 });
    expect(reserved.replaced).toEqual([{ name: "wep", wanted: 6270, got: 6272 }]);
  });

  it("leaves the ports themselves free for the children", async () => {
    await using reserved = await reservePorts(DEFAULTS);
    await using server = await listening(reserved.ports.chain);
    expect(server.listening).toBe(true);
  });

  it("gives every one of eight processes that start at once ports of its own", async () => {
    const program = fileURLToPath(new URL("./_reserve.ts", import.meta.url));
    const processes = Array.from({ length: 8 }, () =>
      spawn(process.execPath, ["--conditions=@subnet-worker/source", program, JSON.stringify(DEFAULTS)], {
        stdio: ["pipe", "pipe", "inherit"],
      }),
    );
    const firstLines = processes.map(
      async (child) => JSON.parse(String((await once(child.stdout, "data"))[0])) as number[],
    );
    const ports = (await Promise.all(firstLines)).flat();
    for (const child of processes) child.stdin.end();
    await Promise.all(processes.map((child) => text(child.stdout)));
    expect(new Set(ports).size).toBe(8 * Object.keys(DEFAULTS).length);
  });
});
