import { connect as dial, createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { ScriptedWep, type WepStream } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { completion, PoolBench, WISH } from "./_wep-bench.ts";
import { nextTurn, settle } from "./_until.ts";

/** A TCP path that can be made to carry nothing while both ends think that it is up. */
class Path implements AsyncDisposable {
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  #isOpen = true;

  private constructor(port: number) {
    this.#server = createServer((near) => {
      const far = dial({ port, host: "127.0.0.1" });
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(from);
        from.on("data", (chunk) => void (this.#isOpen && to.write(chunk)));
        from.on("close", () => void (this.#isOpen && to.destroy()));
        from.on("error", () => undefined);
      }
    });
  }

  static async open(port: number): Promise<Path> {
    const path = new Path(port);
    await new Promise<void>((resolve) => {
      path.#server.listen(0, "127.0.0.1", resolve);
    });
    return path;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Carries nothing on the connections that are there, or all of it again on new ones. */
  halfOpen(isHalfOpen: boolean): void {
    this.#isOpen = !isHalfOpen;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }
}

interface Scene extends AsyncDisposable {
  readonly wep: ScriptedWep;
  readonly path: Path;
  readonly bench: PoolBench;
  readonly stream: WepStream;
}

async function open(version: "1.0.0" | "1.1.0"): Promise<Scene> {
  const wep = await ScriptedWep.listen();
  const path = await Path.open(wep.port);
  const bench = new PoolBench([path.url], { pingIntervalMs: 2_000, silenceMs: 8_000 }).run();
  const stream = await wep.next();
  if (version === "1.1.0") await stream.welcome();
  else stream.send("helloAck", { min: "1.0.0", max: "1.0.0" });
  await bench.ready();
  return {
    wep,
    path,
    bench,
    stream,
    async [Symbol.asyncDispose]() {
      await bench.stop();
      await path[Symbol.asyncDispose]();
      await wep[Symbol.asyncDispose]();
    },
  };
}

/** Lets time pass until the session is given up; seconds that it took. */
async function secondsUntilLost({ bench }: Scene, mostSeconds: number): Promise<number> {
  for (let second = 1; second <= mostSeconds; second += 1) {
    await bench.clock.advance(1_000);
    await settle(10);
    if (bench.pool.stats().connected === 0) return second;
  }
  return Infinity;
}

/** Lets time pass with the answers of the sockets in between. */
async function pass({ bench }: Scene, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    await bench.clock.advance(1_000);
    const untilMs = performance.now() + 5;
    // Time for the system, and turns for a process that had none of it.
    await settle();
    while (performance.now() < untilMs) await nextTurn();
  }
}

describe("a peer that is half-open", () => {
  it("is found within 10 s", async () => {
    await using scene = await open("1.1.0");
    await pass(scene, 3);
    scene.path.halfOpen(true);
    expect(await secondsUntilLost(scene, 20)).toBeLessThanOrEqual(10);
    expect(scene.bench.pool.notReady()[0]).toContain("[SILENT] nothing heard from");
  });

  it("of 1.0.0 is found within 10 s too, by its HTTP/2 layer, while nothing runs there", async () => {
    await using scene = await open("1.0.0");
    await pass(scene, 30);
    expect(scene.bench.pool.stats().connected).toBe(1);
    scene.path.halfOpen(true);
    expect(await secondsUntilLost(scene, 20)).toBeLessThanOrEqual(10);
  });

  it("of 1.0.0 is given longer while it works, since its handler may keep it busy, and found all the same", async () => {
    await using scene = await open("1.0.0");
    const run = scene.bench.start();
    await scene.stream.next("assign");
    scene.path.halfOpen(true);
    const seconds = await secondsUntilLost(scene, 100);
    expect(seconds).toBeGreaterThan(60);
    expect(seconds).toBeLessThanOrEqual(90);
    scene.path.halfOpen(false);
    const again = await scene.bench.reconnected(scene.wep);
    again.send("helloAck", { min: "1.0.0", max: "1.0.0" });
    await again.next("assign");
    again.send("completion", completion());
    expect(await run.outcome).toMatchObject({ kind: "succeeded" });
  });

  it("of 1.0.0 that is well stays connected, and is sent no message that it does not know", async () => {
    await using scene = await open("1.0.0");
    await pass(scene, 120);
    expect(scene.bench.pool.stats().connected).toBe(1);
    expect(scene.bench.pool.reserve(WISH)).toBeDefined();
    expect(scene.stream.kinds()).toEqual(["hello"]);
  });
});
