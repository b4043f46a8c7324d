import { describe, expect, it } from "vitest";
import type { Intent } from "../src/domain/intent.ts";
import type { Task, TaskState } from "../src/domain/task.ts";
import type { Store } from "../src/ports.ts";
import { aLease, anAttempt, aReceipt, aRequest, aRun, aTask, idOf, signed } from "./_builders.ts";

/** A place that stores can be opened on, one after the other. */
export interface StorePlace extends Disposable {
  open(): Store;
}

const STATES: readonly TaskState[] = [
  { kind: "offered" },
  { kind: "claiming" },
  { kind: "claimed", lease: aLease(), attempts: 2 },
  { kind: "assigned", lease: aLease(), run: aRun() },
  { kind: "running", lease: aLease(), run: aRun({ attempt: 3 }), percent: 55 },
  { kind: "settling", outcome: { status: "success", resultHex: "0xbeef" } },
  { kind: "done", outcome: { status: "error", code: 2001, reason: 'it said "no" — ünïcode\u0000' } },
  { kind: "lost", reason: "another worker has it" },
  { kind: "expired" },
  { kind: "abandoned", reason: "by the operator" },
];
const OPEN = STATES.slice(0, 6);
const HUGE = 2n ** 100n + 1n;

async function addSigned(store: Store, key: string, nonce: number): Promise<Intent> {
  const intent = await store.addIntent(aRequest({ key }), 1);
  const attempt = anAttempt({ txHash: `0xhash-${key}`, raw: `0xraw-${key}` });
  await store.saveIntent(signed(intent, nonce, [attempt]), attempt);
  return signed(intent, nonce, [attempt]);
}

/** What every store keeps to. */
export function describeStore(name: string, createPlace: () => StorePlace): void {
  describe(name, () => {
    describeTasks(createPlace);
    describeIntents(createPlace);
    describeTurns(createPlace);
  });
}

function describeTasks(createPlace: () => StorePlace): void {
  it("keeps a task in every state over a restart, with all that the state carries", async () => {
    using place = createPlace();
    const tasks = STATES.map((state, index): Task => aTask({ id: idOf(index), round: index + 1, state }));
    {
      using store = place.open();
      for (const task of tasks) await store.saveTask(task, "new");
    }
    using store = place.open();
    for (const task of tasks) expect(store.task(task.id)).toEqual(task);
    expect(store.openTasks()).toEqual(tasks.slice(0, OPEN.length));
  });

  it("knows nothing of a task that was never stored", () => {
    using place = createPlace();
    using store = place.open();
    expect(store.task(idOf(1))).toBeUndefined();
    expect(store.openTasks()).toEqual([]);
  });

  it("changes a task only from the state that the writer saw", async () => {
    using place = createPlace();
    using store = place.open();
    await store.saveTask(aTask(), "new");
    await expect(store.saveTask(aTask({ state: { kind: "expired" } }), "claiming")).rejects.toThrow(
      "CONFLICT",
    );
    await expect(store.saveTask(aTask(), "new")).rejects.toThrow("CONFLICT");
    await expect(store.saveTask(aTask({ id: idOf(2) }), "offered")).rejects.toThrow("CONFLICT");
    expect(store.task(idOf(1))).toEqual(aTask());
    await store.saveTask(aTask({ state: { kind: "claiming" } }), "offered");
    expect(store.task(idOf(1))?.state.kind).toBe("claiming");
  });

  it("takes two changes of one task in one turn, in order", async () => {
    using place = createPlace();
    using store = place.open();
    await Promise.all([
      store.saveTask(aTask(), "new"),
      store.saveTask(aTask({ state: { kind: "claiming" } }), "offered"),
      store.saveTask(aTask({ state: { kind: "lost", reason: "late" } }), "claiming"),
    ]);
    expect(store.task(idOf(1))?.state).toEqual({ kind: "lost", reason: "late" });
    expect(store.openTasks()).toEqual([]);
  });

  it("opens a task again under a new round", async () => {
    using place = createPlace();
    using store = place.open();
    await store.saveTask(aTask({ state: { kind: "expired" } }), "new");
    await store.saveTask(aTask({ round: 2, state: { kind: "offered" } }), "expired");
    expect(store.openTasks()).toEqual([aTask({ round: 2 })]);
  });
}

function describeIntents(createPlace: () => StorePlace): void {
  it("has one intent per key, whatever is added later", async () => {
    using place = createPlace();
    using store = place.open();
    const first = await store.addIntent(aRequest(), 1_000);
    const second = await store.addIntent(aRequest({ data: "0xother", taskId: "other" }), 2_000);
    expect(second).toEqual(first);
    expect(first).toMatchObject({ ...aRequest(), createdAtMs: 1_000, state: { kind: "queued" } });
    expect(store.openIntents()).toEqual([first]);
  });

  it("answers a key whose intent has ended with how it ended", async () => {
    using place = createPlace();
    using store = place.open();
    const intent = await addSigned(store, "a", 3);
    const ended: Intent = { ...intent, state: { kind: "mined", nonce: 3, receipt: aReceipt() } };
    await store.saveIntent(ended);
    expect(await store.addIntent(aRequest({ key: "a" }), 9)).toEqual(ended);
    expect(store.intentByKey("a")).toEqual(ended);
    expect(store.openIntents()).toEqual([]);
  });

  it("keeps wei beyond 64 bits over a restart", async () => {
    using place = createPlace();
    const attempt = anAttempt({
      maxFeePerGasWei: HUGE,
      maxPriorityFeePerGasWei: HUGE - 1n,
      gasLimit: 2n ** 70n,
    });
    {
      using store = place.open();
      const intent = await store.addIntent(aRequest(), 1);
      await store.saveIntent(signed(intent, 0, [attempt]), attempt);
      const other = await addSigned(store, "mined", 1);
      const receipt = aReceipt({ gasUsed: 2n ** 70n, effectiveGasPriceWei: HUGE });
      await store.saveIntent({ ...other, state: { kind: "mined", nonce: 1, receipt } });
    }
    using store = place.open();
    expect(store.intentByKey(aRequest().key)?.state).toEqual({
      kind: "signed",
      nonce: 0,
      attempts: [attempt],
    });
    expect(store.intentByKey("mined")?.state).toMatchObject({
      receipt: { gasUsed: 2n ** 70n, effectiveGasPriceWei: HUGE },
    });
  });

  it("keeps every attempt over a restart, the cheapest first, whatever the clock said", async () => {
    using place = createPlace();
    const attempts = [9n, 10n, 11n, 100n].map((maxFeePerGasWei, index) =>
      anAttempt({
        txHash: `0x${9 - index}`,
        raw: `0xraw${index}`,
        maxFeePerGasWei,
        signedAtMs: 1_000 - index,
      }),
    );
    {
      using store = place.open();
      const intent = await store.addIntent(aRequest(), 1);
      for (const [index, attempt] of attempts.entries()) {
        await store.saveIntent(signed(intent, 7, attempts.slice(0, index + 1)), attempt);
      }
    }
    using store = place.open();
    expect(store.openIntents().map(({ state }) => state)).toEqual([{ kind: "signed", nonce: 7, attempts }]);
  });

  it("keeps a refusal and a revert with their reasons", async () => {
    using place = createPlace();
    const revert = { name: "LeaseExpired", message: "the lease ran out at noon" };
    {
      using store = place.open();
      const refused = await store.addIntent(aRequest({ key: "refused" }), 1);
      await store.saveIntent({ ...refused, state: { kind: "refused", revert } });
      const reverted = await addSigned(store, "reverted", 1);
      const receipt = aReceipt({ succeeded: false });
      await store.saveIntent({ ...reverted, state: { kind: "reverted", nonce: 1, receipt, revert } });
    }
    using store = place.open();
    expect(store.intentByKey("refused")?.state).toEqual({ kind: "refused", revert });
    expect(store.intentByKey("reverted")?.state).toEqual({
      kind: "reverted",
      nonce: 1,
      revert,
      receipt: aReceipt({ succeeded: false }),
    });
  });

  it("changes nothing about an intent that has ended", async () => {
    using place = createPlace();
    using store = place.open();
    const intent = await addSigned(store, "a", 3);
    await store.saveIntent({ ...intent, state: { kind: "mined", nonce: 3, receipt: aReceipt() } });
    await expect(store.saveIntent({ ...intent, state: { kind: "queued" } })).rejects.toThrow("already ended");
    expect(store.intentByKey("a")?.state.kind).toBe("mined");
  });

  it("takes no attempt twice", async () => {
    using place = createPlace();
    using store = place.open();
    const intent = await addSigned(store, "a", 3);
    const [attempt] = intent.state.kind === "signed" ? intent.state.attempts : [];
    await expect(store.saveIntent(intent, attempt)).rejects.toThrow();
    expect(store.openIntents()).toEqual([intent]);
  });

  it("gives one nonce to one intent only", async () => {
    using place = createPlace();
    using store = place.open();
    await addSigned(store, "a", 3);
    await expect(addSigned(store, "b", 3)).rejects.toThrow();
    expect(store.intentByKey("b")?.state.kind).toBe("queued");
  });

  it("remembers the highest nonce ever signed, also when somebody else took it", async () => {
    using place = createPlace();
    {
      using store = place.open();
      expect(store.highestNonce()).toBeUndefined();
      await addSigned(store, "a", 4);
      const taken = await addSigned(store, "b", 5);
      await store.saveIntent({ ...taken, state: { kind: "queued" } });
      expect(store.highestNonce()).toBe(5);
    }
    using store = place.open();
    expect(store.highestNonce()).toBe(5);
    expect(store.intentByKey("b")?.state).toEqual({ kind: "queued" });
    await addSigned(store, "c", 6);
    const again = anAttempt({ txHash: "0xb2", raw: "0xb2" });
    const intent = store.intentByKey("b");
    if (intent !== undefined) await store.saveIntent(signed(intent, 7, [again]), again);
    expect(store.intentByKey("b")?.state).toEqual({ kind: "signed", nonce: 7, attempts: [again] });
  });

  it("keeps cursors, each by its name", async () => {
    using place = createPlace();
    {
      using store = place.open();
      expect(store.cursor("enqueued")).toBeUndefined();
      await store.saveCursor("enqueued", 10);
      await store.saveCursor("enqueued", 25);
      await store.saveCursor("other", 1);
    }
    using store = place.open();
    expect([store.cursor("enqueued"), store.cursor("other")]).toEqual([25, 1]);
  });
}

function describeTurns(createPlace: () => StorePlace): void {
  it("undoes a change that fails and keeps those made in the same turn", async () => {
    using place = createPlace();
    {
      using store = place.open();
      const results = await Promise.allSettled([
        store.saveTask(aTask({ id: idOf(1) }), "new"),
        store.saveTask(aTask({ id: idOf(2) }), "claimed"),
        store.saveTask(aTask({ id: idOf(3) }), "new"),
        store.saveCursor("enqueued", 5),
      ]);
      expect(results.map(({ status }) => status)).toEqual([
        "fulfilled",
        "rejected",
        "fulfilled",
        "fulfilled",
      ]);
    }
    using store = place.open();
    expect(store.openTasks().map(({ id }) => id)).toEqual([idOf(1), idOf(3)]);
    expect(store.cursor("enqueued")).toBe(5);
  });

  it("loses nothing that was written in the very turn in which it is closed", async () => {
    using place = createPlace();
    const store = place.open();
    const saved = store.saveTask(aTask(), "new");
    store[Symbol.dispose]();
    await saved;
    using again = place.open();
    expect(again.openTasks()).toEqual([aTask()]);
  });
}
