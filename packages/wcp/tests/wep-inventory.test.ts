import { ScriptedWep, type WepStream } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { aTask, idOf } from "./_builders.ts";
import { completion, type Greeting, greet, heard, PoolBench, type StartedRun, WISH } from "./_wep-bench.ts";
import { settle, until } from "./_until.ts";

const RUN = { activityId: idOf(1), runId: "run-1" };

interface Scene extends AsyncDisposable {
  readonly bench: PoolBench;
  readonly wep: ScriptedWep;
  readonly stream: WepStream;
}

/** A pool with one WEP that tells what it has. */
async function open(greeting: Greeting = {}): Promise<Scene> {
  const wep = await ScriptedWep.listen();
  const bench = new PoolBench([wep.url], { nodeId: "0xnode" }).run();
  const stream = await wep.next();
  await greet(stream, { inventory: [], ...greeting });
  await bench.ready();
  return {
    bench,
    wep,
    stream,
    async [Symbol.asyncDispose]() {
      await bench.stop();
      await wep[Symbol.asyncDispose]();
    },
  };
}

async function cutAndBack({ bench, wep }: Scene, greeting: Greeting): Promise<WepStream> {
  wep.cut();
  await until(() => bench.pool.stats().connected === 0);
  const again = await bench.reconnected(wep);
  await greet(again, greeting);
  await bench.ready();
  return again;
}

/** A run that the WEP has acked. */
async function acked({ bench, stream }: Scene): Promise<StartedRun> {
  const run = bench.start();
  await stream.next("assign");
  stream.send("ack", RUN);
  await heard(stream);
  return run;
}

describe("an inventory", () => {
  it("is waited for where one follows: until then nobody knows what runs there", async () => {
    await using wep = await ScriptedWep.listen();
    await using bench = new PoolBench([wep.url], { nodeId: "0xnode" }).run();
    const stream = await wep.next();
    expect(await stream.next("hello")).toMatchObject({ nodeId: "0xnode", maxBatch: 256 });
    stream.send("helloAck", { min: "1.0.0", max: "1.1.0", instanceId: "a" });
    stream.send("capabilities", { maxConcurrency: 2, inventoryFollows: true });
    await heard(stream);
    expect(bench.pool.reserve(WISH)).toBeUndefined();
    stream.send("inventory", { runs: [] });
    await bench.ready();
    expect(bench.pool.reserve(WISH)).toBeDefined();
  });

  it("that does not come ends the session", async () => {
    await using wep = await ScriptedWep.listen();
    await using bench = new PoolBench([wep.url]).run();
    const stream = await wep.next();
    await stream.next("hello");
    stream.send("helloAck", { min: "1.0.0", max: "1.1.0" });
    stream.send("capabilities", { maxConcurrency: 2, inventoryFollows: true });
    await heard(stream);
    for (let beat = 0; beat < 10 && !stream.isOver; beat += 1) await bench.clock.advance(1_000);
    await stream.closed;
    await until(() => bench.pool.notReady()[0]?.includes("its inventory did not come") === true);
  });

  it("keeps a drain that came before it", async () => {
    await using wep = await ScriptedWep.listen();
    await using bench = new PoolBench([wep.url]).run();
    const stream = await wep.next();
    await stream.next("hello");
    stream.send("helloAck", { min: "1.0.0", max: "1.1.0" });
    stream.send("capabilities", { maxConcurrency: 2, inventoryFollows: true });
    stream.send("drain", {});
    stream.send("inventory", { runs: [] });
    await bench.ready();
    expect(bench.pool.notReady()).toEqual([`WEP ${wep.url} is draining`]);
  });

  it("without an acked run of another instance says that it is lost: it is interrupted, not assigned", async () => {
    await using scene = await open({ instanceId: "a" });
    const run = await acked(scene);
    const again = await cutAndBack(scene, { instanceId: "b", inventory: [] });
    expect(await run.outcome).toEqual({
      kind: "interrupted",
      reason: expect.stringContaining("was restarted, and the run is lost") as string,
    });
    await heard(again);
    expect(again.kinds()).not.toContain("assign");
  });

  it("without a run of the same instance has it assigned again", async () => {
    await using scene = await open({ instanceId: "a" });
    await acked(scene);
    const again = await cutAndBack(scene, { instanceId: "a", inventory: [] });
    expect(await again.next("assign")).toMatchObject(RUN);
  });

  it("without a run that was never acked has it assigned again: it never arrived", async () => {
    await using scene = await open({ instanceId: "a" });
    scene.bench.start();
    await scene.stream.next("assign");
    const again = await cutAndBack(scene, { instanceId: "b", inventory: [] });
    expect(await again.next("assign")).toMatchObject(RUN);
  });

  it("counts as an ack of what is in it: with the next instance it is lost", async () => {
    await using scene = await open({ instanceId: "a" });
    const run = scene.bench.start();
    await scene.stream.next("assign");
    await cutAndBack(scene, { instanceId: "a", inventory: [RUN] });
    await cutAndBack(scene, { instanceId: "b", inventory: [] });
    expect(await run.outcome).toMatchObject({ kind: "interrupted" });
  });

  it("tells how far it has come", async () => {
    await using scene = await open({ instanceId: "a" });
    const run = scene.bench.start();
    await scene.stream.next("assign");
    const again = await cutAndBack(scene, {
      instanceId: "a",
      inventory: [{ ...RUN, percent: 60, checkpointRef: "c/6" }],
    });
    await again.next("assign");
    expect(run.progress).toEqual([[60, "", "c/6"]]);
  });

  it("with a run that nobody wants has it cancelled, by its run id", async () => {
    const unwanted = { activityId: idOf(9), runId: "stray" };
    await using scene = await open({ inventory: [unwanted] });
    expect(await scene.stream.next("cancel")).toMatchObject({ ...unwanted, reason: "lease_lost" });
    scene.stream.send("completion", { ...unwanted, status: "ERROR", error: "cancelled" });
    expect(await scene.stream.next("completionAck")).toMatchObject(unwanted);
  });

  it("with a finished run that nobody wants has its completion acknowledged", async () => {
    const unwanted = { activityId: idOf(9), runId: "stray" };
    await using scene = await open({ inventory: [{ ...unwanted, state: "finished" }] });
    expect(await scene.stream.next("completionAck")).toMatchObject(unwanted);
    expect(scene.stream.kinds()).not.toContain("cancel");
  });

  it("with a run whose task is not taken up yet leaves it alone, and keeps its completion at the WEP", async () => {
    const wep = await ScriptedWep.listen();
    const bench = new PoolBench([wep.url]);
    bench.wanted.add("run-1");
    bench.run();
    const stream = await wep.next();
    await greet(stream, { inventory: [RUN] });
    stream.send("completion", completion());
    await heard(stream);
    expect(stream.kinds()).toEqual(["hello", "pong"]);
    // The dispatcher takes it up: the WEP answers with the completion that it kept.
    const run = bench.start();
    await stream.next("assign");
    stream.send("completion", completion());
    expect(await run.outcome).toMatchObject({ kind: "succeeded" });
    await bench.stop();
    await wep[Symbol.asyncDispose]();
  });
});

describe("a WEP that stays away", () => {
  async function stayAway(bench: PoolBench, seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second += 1) {
      await bench.clock.advance(1_000);
      await settle(3);
    }
  }

  it("beyond the grace time has lost its runs, acked or not, and what is started for it", async () => {
    await using scene = await open({ capabilities: { maxConcurrency: 3 } });
    const { bench, wep } = scene;
    const one = await acked(scene);
    const two = bench.start({ runId: "run-2", task: aTask({ id: idOf(2) }) });
    const slot = bench.pool.reserve(WISH);
    await wep[Symbol.asyncDispose]();
    await until(() => bench.pool.stats().connected === 0);
    await stayAway(bench, 29);
    let ended = 0;
    for (const { outcome } of [one, two]) void outcome.then(() => (ended += 1));
    await settle();
    expect(ended).toBe(0);
    await stayAway(bench, 2);
    for (const { outcome } of [one, two]) {
      expect(await outcome).toEqual({
        kind: "interrupted",
        reason: expect.stringMatching(/^WEP .* has been away for 3\d s, and the run with it/) as string,
      });
    }
    const three = bench.start({ runId: "run-3", task: aTask({ id: idOf(3) }) }, slot);
    expect(await three.outcome).toMatchObject({ kind: "interrupted" });
    expect(bench.events).toEqual(["connected", "disconnected", "lost", ...Array(3).fill("run_interrupted")]);
  });

  it("and comes back after all has those runs cancelled, and their completions dropped", async () => {
    await using scene = await open();
    const { bench, wep } = scene;
    bench.wanted.add("run-1"); // the task book has not heard yet
    const run = await acked(scene);
    const { port } = wep;
    await wep[Symbol.asyncDispose]();
    await until(() => bench.pool.stats().connected === 0);
    await stayAway(bench, 31);
    expect(await run.outcome).toMatchObject({ kind: "interrupted" });
    run.slot[Symbol.dispose]();
    await using back = await ScriptedWep.listen(port);
    const again = await bench.reconnected(back);
    await greet(again, { inventory: [RUN] });
    expect(await again.next("cancel")).toMatchObject({ ...RUN, reason: "superseded" });
    again.send("completion", completion());
    expect(await again.next("completionAck")).toMatchObject(RUN);
  });

  it("within the grace time is waited for", async () => {
    await using scene = await open();
    const { bench, wep } = scene;
    const run = await acked(scene);
    const { port } = wep;
    await wep[Symbol.asyncDispose]();
    await until(() => bench.pool.stats().connected === 0);
    await stayAway(bench, 25);
    await using back = await ScriptedWep.listen(port);
    const again = await bench.reconnected(back);
    await greet(again, { inventory: [RUN] });
    await again.next("assign");
    await stayAway(bench, 10); // the end of the grace time comes and goes
    again.send("completion", completion());
    expect(await run.outcome).toMatchObject({ kind: "succeeded" });
  });
});

describe("a run that goes on elsewhere", () => {
  it("is cancelled where it was, though its task wants a run of that id", async () => {
    const [left, right] = [await ScriptedWep.listen(), await ScriptedWep.listen()];
    const bench = new PoolBench([left.url, right.url]);
    bench.wanted.add("run-1");
    bench.run();
    await greet(await right.next(), { inventory: [] });
    await bench.ready();
    bench.start();
    const late = await left.next();
    await greet(late, { inventory: [RUN] });
    expect(await late.next("cancel")).toMatchObject({ ...RUN, reason: "superseded" });
    await bench.stop();
    for (const wep of [left, right]) await wep[Symbol.asyncDispose]();
  });
});

describe("a run on which the stream ends each time", () => {
  it("is given up after three, where nobody says that it is there", async () => {
    await using scene = await open({ instanceId: "a" });
    const { bench, wep } = scene;
    const run = bench.start();
    await scene.stream.next("assign");
    for (let death = 1; death < 3; death += 1) {
      const again = await cutAndBack(scene, { instanceId: `a${death}`, inventory: [] });
      await again.next("assign");
    }
    wep.cut();
    await until(() => bench.pool.stats().connected === 0);
    await greet(await bench.reconnected(wep), { instanceId: "z", inventory: [] });
    expect(await run.outcome).toMatchObject({
      kind: "interrupted",
      reason: expect.stringContaining("ended 3 times on it") as string,
    });
  });

  it("goes on with a WEP that tells no inventory, and is the same process as when it acked", async () => {
    await using scene = await open({ instanceId: "a" });
    const run = await acked(scene);
    for (let cut = 0; cut < 6; cut += 1) {
      scene.wep.cut();
      await until(() => scene.bench.pool.stats().connected === 0);
      const again = await scene.bench.reconnected(scene.wep);
      await greet(again, { instanceId: "a" });
      await again.next("assign");
      if (cut === 5) again.send("completion", completion());
    }
    expect(await run.outcome).toMatchObject({ kind: "succeeded" });
  });

  it("goes on for as long as the WEP says that it has it", async () => {
    await using scene = await open({ instanceId: "a" });
    const run = await acked(scene);
    for (let cut = 0; cut < 6; cut += 1) {
      const again = await cutAndBack(scene, { instanceId: "a", inventory: [RUN] });
      await again.next("assign");
      if (cut === 5) again.send("completion", completion());
    }
    expect(await run.outcome).toMatchObject({ kind: "succeeded" });
  });
});
