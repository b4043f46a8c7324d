import { describe, expect, it } from "vitest";
import type { Intent, IntentState } from "../src/domain/intent.ts";
import type { Task, TaskState } from "../src/domain/task.ts";
import { aLease, anAttempt, aReceipt, aRequest, aRun, aTask, aTransaction, idOf } from "./_builders.ts";

import { addSigned, describeTransactions, TRANSACTION_STATES } from "./_store-contract-transactions.ts";
import type { StorePlace } from "./_store-place.ts";

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

const REVERT = { name: "LeaseExpired", message: "the lease ran out at noon" };
const FAILED = aReceipt({ succeeded: false });
const INTENT_STATES: readonly IntentState[] = [
  { kind: "queued" },
  { kind: "signed", nonce: 1 },
  { kind: "mined", nonce: 2, receipt: aReceipt(), isConfirmed: false },
  { kind: "reverted", nonce: 3, receipt: FAILED, revert: REVERT, isConfirmed: false },
  { kind: "mined", nonce: 4, receipt: aReceipt(), isConfirmed: true },
  { kind: "reverted", nonce: 5, receipt: FAILED, revert: REVERT, isConfirmed: true },
  { kind: "refused", revert: REVERT },
  { kind: "dropped", reason: "expired", message: "its lease is over" },
];

/** What every store keeps to. */
export function describeStore(name: string, createPlace: () => StorePlace): void {
  describe(name, () => {
    describeTasks(createPlace);
    describeIntents(createPlace);
    describeTransactions(createPlace);
    describeTheRest(createPlace);
    describePruning(createPlace);
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
    const request = aRequest({ deadlineMs: 7_000, replaces: "task-1:heartbeat" });
    const first = await store.addIntent(request, 1_000);
    const second = await store.addIntent(aRequest({ data: "0xother", taskId: "other" }), 2_000);
    expect(second).toEqual(first);
    expect(first).toEqual({ ...request, id: first.id, createdAtMs: 1_000, state: { kind: "queued" } });
    expect(store.openIntents()).toEqual([first]);
  });

  it("tells an intent without a deadline from one whose deadline has passed", async () => {
    using place = createPlace();
    using store = place.open();
    await store.addIntent(aRequest({ key: "never" }), 1_000);
    await store.addIntent(aRequest({ key: "at once", deadlineMs: 0, replaces: "" }), 1_000);
    expect(store.intentByKey("never")).toMatchObject({ deadlineMs: undefined, replaces: undefined });
    expect(store.intentByKey("at once")).toMatchObject({ deadlineMs: 0, replaces: "" });
  });

  it("keeps an intent in every state over a restart, and lists those that have not ended for good", async () => {
    using place = createPlace();
    const intents: Intent[] = [];
    {
      using store = place.open();
      for (const [index, state] of INTENT_STATES.entries()) {
        intents.push({ ...(await store.addIntent(aRequest({ key: `key-${index}` }), index)), state });
      }
      await store.saveIntents(intents.slice(1));
    }
    using store = place.open();
    for (const intent of intents) expect(store.intentByKey(intent.key)).toEqual(intent);
    expect(store.openIntents()).toEqual(intents.slice(0, 4));
    expect(store.intentByKey("key-99")).toBeUndefined();
  });

  it("answers a key whose intent has ended with how it ended", async () => {
    using place = createPlace();
    using store = place.open();
    const [intent] = await addSigned(store, "a", 3);
    const state = { kind: "mined", nonce: 3, receipt: aReceipt(), isConfirmed: true } as const;
    await store.saveIntents([{ ...intent, state }]);
    expect(await store.addIntent(aRequest({ key: "a" }), 9)).toEqual({ ...intent, state });
    expect(store.openIntents()).toEqual([]);
  });

  it("lets a reorg take back what was mined, and nothing take back what was refused or dropped", async () => {
    using place = createPlace();
    using store = place.open();
    const [intent] = await addSigned(store, "a", 3);
    await store.saveIntents([{ ...intent, state: INTENT_STATES[4]! }]);
    await store.saveIntents([intent]);
    expect(store.openIntents()).toEqual([intent]);
    for (const [index, state] of INTENT_STATES.slice(6).entries()) {
      const ended = { ...(await store.addIntent(aRequest({ key: `ended-${index}` }), 1)), state };
      await store.saveIntents([ended]);
      await expect(store.saveIntents([{ ...ended, state: { kind: "queued" } }])).rejects.toThrow(
        "already ended",
      );
      expect(store.intentByKey(ended.key)).toEqual(ended);
    }
  });

  it("stores several intents together or none of them", async () => {
    using place = createPlace();
    using store = place.open();
    const [first, second, last] = [
      await store.addIntent(aRequest({ key: "a" }), 1),
      await store.addIntent(aRequest({ key: "b" }), 1),
      await store.addIntent(aRequest({ key: "c" }), 1),
    ];
    await store.saveIntents([{ ...second, state: { kind: "refused", revert: REVERT } }]);
    const states = [first, second, last].map((intent) => ({
      ...intent,
      state: { kind: "dropped", reason: "purged", message: "no" } as const,
    }));
    await expect(store.saveIntents(states)).rejects.toThrow("already ended");
    expect(store.openIntents()).toEqual([first, last]);
  });
}

function describeTheRest(createPlace: () => StorePlace): void {
  it("keeps cursors, each by its name", async () => {
    using place = createPlace();
    const [old, later] = [
      { blockNumber: 10, blockHash: "0xb10" },
      { blockNumber: 25, blockHash: "0xb25" },
    ];
    {
      using store = place.open();
      expect(store.cursor("enqueued")).toBeUndefined();
      await store.saveCursor("enqueued", old);
      await store.saveCursor("enqueued", later);
      await store.saveCursor("other", old);
    }
    using store = place.open();
    expect([store.cursor("enqueued"), store.cursor("other")]).toEqual([later, old]);
  });

  it("keeps which queues the operator paused or let go on, until the configuration decides again", async () => {
    using place = createPlace();
    {
      using store = place.open();
      expect(store.queuePauses()).toEqual(new Map());
      await store.saveQueuePause("a", true);
      await store.saveQueuePause("b", true);
      await store.saveQueuePause("c", true);
      await store.saveQueuePause("b", false);
      await store.saveQueuePause("c", undefined);
      await store.saveQueuePause("d", undefined);
    }
    using store = place.open();
    expect(store.queuePauses()).toEqual(
      new Map([
        ["a", true],
        ["b", false],
      ]),
    );
  });

  it("hands out what the operator asks for, oldest first, until it is answered", async () => {
    using place = createPlace();
    {
      using store = place.open();
      expect(store.openOrders()).toEqual([]);
      place.order("bump", 4);
      place.order("cancel", 3);
      place.order("rebroadcast", 4);
      const orders = store.openOrders();
      expect(orders.map(({ action, nonce }) => [action, nonce])).toEqual([
        ["bump", 4],
        ["cancel", 3],
        ["rebroadcast", 4],
      ]);
      await store.answerOrder(orders[1]!.id, { isDone: true, text: "done" });
    }
    using store = place.open();
    expect(store.openOrders().map(({ action }) => action)).toEqual(["bump", "rebroadcast"]);
  });

  it("keeps the hash of the first block over a restart", async () => {
    using place = createPlace();
    {
      using store = place.open();
      expect(store.genesisHash()).toBeUndefined();
      await store.saveGenesisHash("0xold");
      await store.saveGenesisHash("0xgenesis");
    }
    using store = place.open();
    expect(store.genesisHash()).toBe("0xgenesis");
  });
}

function describePruning(createPlace: () => StorePlace): void {
  it("forgets what ended before a time, and nothing that is open or that ended later", async () => {
    using place = createPlace();
    using store = place.open();
    const save = async (from: number) => {
      for (const [index, state] of STATES.entries()) {
        await store.saveTask(aTask({ id: idOf(from + index), state }), "new");
      }
      for (const [index, state] of INTENT_STATES.entries()) {
        const intent = await store.addIntent(aRequest({ key: `key-${from + index}` }), 1);
        if (state.kind !== "queued") await store.saveIntents([{ ...intent, state }]);
      }
      for (const [index, state] of TRANSACTION_STATES.entries()) {
        const attempt = anAttempt({ txHash: `0x${from + index}`, raw: `0xraw${from + index}` });
        const transaction = aTransaction({ nonce: from + index, attempts: [attempt], state });
        await store.saveTransaction({ transaction, attempt });
      }
    };
    await save(0);
    await place.advance(1_000);
    const beforeMs = place.nowMs();
    await save(100);
    const kept = (from: number) => ({
      tasks: STATES.map((_, index) => store.task(idOf(from + index)) !== undefined),
      intents: INTENT_STATES.map((_, index) => store.intentByKey(`key-${from + index}`) !== undefined),
      transactions: TRANSACTION_STATES.map((_, index) => store.transactionAt(from + index) !== undefined),
    });
    // Ended: four tasks, four intents, two transactions.
    expect(await store.prune(beforeMs)).toBe(10);
    expect(kept(0)).toEqual({
      tasks: STATES.map((_, index) => index < OPEN.length),
      intents: INTENT_STATES.map((_, index) => index < 4),
      transactions: TRANSACTION_STATES.map((_, index) => index < 3),
    });
    expect(Object.values(kept(100)).flat()).not.toContain(false);
    expect(await store.prune(beforeMs)).toBe(0);
  });

  it("takes the key of a forgotten intent for a new one, under an id that no intent had before", async () => {
    using place = createPlace();
    using store = place.open();
    const first = await store.addIntent(aRequest(), 1);
    await store.saveIntents([{ ...first, state: { kind: "refused", revert: REVERT } }]);
    await place.advance(1_000);
    expect(await store.prune(place.nowMs())).toBe(1);
    const again = await store.addIntent(aRequest(), 2);
    expect(again.state).toEqual({ kind: "queued" });
    // A transaction that a reorg brings back names its intents by id.
    expect(again.id).toBeGreaterThan(first.id);
  });

  it("never forgets the highest nonce", async () => {
    using place = createPlace();
    using store = place.open();
    for (const [nonce, key] of ["a", "b"].entries()) {
      const [, transaction] = await addSigned(store, key, nonce);
      await store.saveTransaction({
        transaction: { ...transaction, state: { kind: "confirmed", receipt: aReceipt() } },
      });
    }
    await place.advance(1_000);
    expect(await store.prune(place.nowMs())).toBe(1);
    expect([store.transactionAt(0), store.highestNonce()]).toEqual([undefined, 1]);
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
        store.saveCursor("enqueued", { blockNumber: 5, blockHash: "0xb5" }),
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
    expect(store.cursor("enqueued")?.blockNumber).toBe(5);
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
