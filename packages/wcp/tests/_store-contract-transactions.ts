import { expect, it } from "vitest";
import type { Intent } from "../src/domain/intent.ts";
import type { Transaction, TransactionState } from "../src/domain/transaction.ts";
import type { Store } from "../src/ports.ts";
import { anAttempt, aReceipt, aRequest, aTransaction, signed } from "./_builders.ts";
import type { StorePlace } from "./_store-place.ts";

const HUGE = 2n ** 100n + 1n;
const REVERT = { name: "LeaseExpired", message: "the lease ran out at noon" };
const FAILED = aReceipt({ succeeded: false });
export const TRANSACTION_STATES: readonly TransactionState[] = [
  { kind: "signed" },
  { kind: "included", receipt: aReceipt() },
  { kind: "included", receipt: FAILED },
  { kind: "confirmed", receipt: aReceipt() },
  { kind: "displaced" },
];

/** Adds an intent and a transaction that carries it. */
export async function addSigned(store: Store, key: string, nonce: number): Promise<[Intent, Transaction]> {
  const intent = signed(await store.addIntent(aRequest({ key }), 1), nonce);
  const attempt = anAttempt({ txHash: `0xhash-${key}`, raw: `0xraw-${key}` });
  const transaction = aTransaction({ nonce, intentIds: [intent.id], attempts: [attempt] });
  await store.saveTransaction({ transaction, attempt, intents: [intent] });
  return [intent, transaction];
}

/** What every store keeps to about nonces and what was signed with them. */
export function describeTransactions(createPlace: () => StorePlace): void {
  it("keeps a transaction in every state over a restart, and lists those that are open, in nonce order", async () => {
    using place = createPlace();
    const transactions = TRANSACTION_STATES.map((state, index) =>
      aTransaction({
        nonce: 9 - index,
        kind: (["single", "batch", "noop", "delegation", "single"] as const)[index]!,
        intentIds: [[1], [3, 1, 2], [], [], [4]][index]!,
        attempts: [anAttempt({ txHash: `0x${index}`, raw: `0xraw${index}`, isNoop: index === 2 })],
        createdAtMs: 1_000 + index,
        state,
      }),
    );
    {
      using store = place.open();
      for (const transaction of transactions) {
        await store.saveTransaction({ transaction, attempt: transaction.attempts[0]! });
        // A second time, as every change after the first is stored.
        await store.saveTransaction({ transaction });
      }
    }
    using store = place.open();
    for (const transaction of transactions) {
      expect(store.transactionAt(transaction.nonce)).toEqual(transaction);
    }
    expect(store.transactionAt(99)).toBeUndefined();
    expect(store.openTransactions()).toEqual(transactions.slice(0, 3).toReversed());
  });

  it("keeps wei beyond 64 bits over a restart", async () => {
    using place = createPlace();
    const attempt = anAttempt({
      maxFeePerGasWei: HUGE,
      maxPriorityFeePerGasWei: HUGE - 1n,
      gasLimit: 2n ** 70n,
    });
    const receipt = aReceipt({ gasUsed: 2n ** 70n, effectiveGasPriceWei: HUGE });
    const transaction = aTransaction({ attempts: [attempt], state: { kind: "included", receipt } });
    const state = { kind: "mined", nonce: 0, receipt, isConfirmed: false } as const;
    {
      using store = place.open();
      const intent = { ...(await store.addIntent(aRequest(), 1)), state };
      await store.saveTransaction({ transaction, attempt, intents: [intent] });
    }
    using store = place.open();
    expect(store.transactionAt(0)).toEqual(transaction);
    expect(store.intentByKey(aRequest().key)?.state).toEqual(state);
  });

  it("keeps every attempt over a restart, the oldest first, whatever it paid and the clock said", async () => {
    using place = createPlace();
    const attempts = [9n, 100n, 11n, 10n].map((maxFeePerGasWei, index) =>
      anAttempt({
        txHash: `0x${9 - index}`,
        raw: `0xraw${index}`,
        isNoop: index === 3,
        ...(index === 3 ? { givingUp: { reason: "cancelled", message: "by the operator" } } : {}),
        maxFeePerGasWei,
        signedAtMs: 1_000 - index,
      }),
    );
    {
      using store = place.open();
      for (const [index, attempt] of attempts.entries()) {
        const transaction = aTransaction({ nonce: 7, attempts: attempts.slice(0, index + 1) });
        await store.saveTransaction({ transaction, attempt });
      }
    }
    using store = place.open();
    expect(store.openTransactions().map((transaction) => transaction.attempts)).toEqual([attempts]);
  });

  it("stores a transaction, its attempt and its intents together or nothing of them", async () => {
    using place = createPlace();
    using store = place.open();
    const [intent, transaction] = await addSigned(store, "a", 3);
    const refused: Intent = {
      ...(await store.addIntent(aRequest({ key: "b" }), 1)),
      state: { kind: "refused", revert: REVERT },
    };
    await store.saveIntents([refused]);
    const attempt = anAttempt({ txHash: "0xsecond", raw: "0xsecond" });
    const change = {
      transaction: {
        ...transaction,
        attempts: [...transaction.attempts, attempt],
        state: { kind: "displaced" } as const,
      },
      attempt,
      intents: [
        { ...intent, state: { kind: "queued" } as const },
        { ...refused, state: { kind: "queued" } as const },
      ],
    };
    await expect(store.saveTransaction(change)).rejects.toThrow("already ended");
    expect(store.transactionAt(3)).toEqual(transaction);
    expect(store.intentByKey("a")).toEqual(intent);
    const fresh = aTransaction({ nonce: 4, attempts: [attempt] });
    await expect(store.saveTransaction({ ...change, transaction: fresh })).rejects.toThrow("already ended");
    expect(store.transactionAt(4)).toBeUndefined();
    expect(store.highestNonce()).toBe(3);
  });

  it("takes no attempt twice", async () => {
    using place = createPlace();
    using store = place.open();
    const [, transaction] = await addSigned(store, "a", 3);
    const attempt = transaction.attempts[0]!;
    const again = { ...transaction, attempts: [attempt, attempt] };
    await expect(store.saveTransaction({ transaction: again, attempt })).rejects.toThrow();
    expect(store.openTransactions()).toEqual([transaction]);
  });

  it("gives one nonce to one transaction only", async () => {
    using place = createPlace();
    using store = place.open();
    const [, transaction] = await addSigned(store, "a", 3);
    await expect(addSigned(store, "b", 3)).rejects.toThrow();
    expect(store.intentByKey("b")?.state.kind).toBe("queued");
    expect(store.transactionAt(3)).toEqual(transaction);
  });

  it("gives the nonce of a transaction that was displaced to another, should a reorg make room for it", async () => {
    using place = createPlace();
    const attempt = anAttempt({ txHash: "0xnoop", raw: "0xnoop", isNoop: true });
    const noop = aTransaction({ nonce: 3, kind: "noop", intentIds: [], attempts: [attempt] });
    {
      using store = place.open();
      const [, transaction] = await addSigned(store, "a", 3);
      await store.saveTransaction({ transaction: { ...transaction, state: { kind: "displaced" } } });
      await store.saveTransaction({ transaction: noop, attempt });
      // Once more, with the very same bytes: a signature of the same words is the same.
      await store.saveTransaction({ transaction: { ...noop, state: { kind: "displaced" } } });
      await store.saveTransaction({ transaction: noop, attempt });
    }
    using store = place.open();
    expect(store.transactionAt(3)).toEqual(noop);
    expect(store.openTransactions()).toEqual([noop]);
  });

  it("knows the intents that name a nonce, ended or not", async () => {
    using place = createPlace();
    using store = place.open();
    const [intent] = await addSigned(store, "a", 3);
    const [other] = await addSigned(store, "b", 4);
    const waiting = await store.addIntent(aRequest({ key: "c" }), 1);
    const second = signed(waiting, 3);
    await store.saveIntents([second]);
    expect(store.intentsAt(3)).toEqual([intent, second]);
    const receipt = aReceipt();
    const ended: Intent = { ...intent, state: { kind: "mined", nonce: 3, receipt, isConfirmed: true } };
    await store.saveIntents([ended, waiting]);
    expect(store.intentsAt(3)).toEqual([ended]);
    expect(store.intentsAt(4)).toEqual([other]);
    expect(store.intentsAt(5)).toEqual([]);
  });

  it("remembers the highest nonce ever signed, also when somebody else took it", async () => {
    using place = createPlace();
    {
      using store = place.open();
      expect(store.highestNonce()).toBeUndefined();
      await addSigned(store, "a", 4);
      const [intent, transaction] = await addSigned(store, "b", 5);
      await store.saveTransaction({
        transaction: { ...transaction, state: { kind: "displaced" } },
        intents: [{ ...intent, state: { kind: "queued" } }],
      });
      expect(store.highestNonce()).toBe(5);
    }
    using store = place.open();
    expect(store.highestNonce()).toBe(5);
    expect(store.intentByKey("b")?.state).toEqual({ kind: "queued" });
    expect(store.openTransactions().map(({ nonce }) => nonce)).toEqual([4]);
  });
}
