import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  claimRank,
  type ClaimWindow,
  firstWindow,
  isContested,
  mostContested,
  nextWindow,
  seedOf,
} from "./claim-policy.ts";

const anId = fc
  .bigInt({ min: 0n, max: 2n ** 256n - 1n })
  .map((value) => `0x${value.toString(16).padStart(64, "0")}`);
const aWallet = fc
  .bigInt({ min: 0n, max: 2n ** 160n - 1n })
  .map((value) => `0x${value.toString(16).padStart(40, "0")}`);

/** Ids as close to each other as they come. */
const IDS = Array.from({ length: 2_000 }, (_, index) => `0x${index.toString(16).padStart(64, "0")}`);

describe("a worker's order of claims", () => {
  it("is the same every time, and within [0, 1)", () => {
    fc.assert(
      fc.property(anId, aWallet, fc.array(aWallet, { maxLength: 5 }), (id, self, rivals) => {
        const rank = () => claimRank(seedOf(id), seedOf(self), rivals.map(seedOf));
        expect(rank()).toBe(rank());
        expect(rank()).toBeGreaterThanOrEqual(0);
        expect(rank()).toBeLessThan(1);
      }),
    );
  });

  it("is spread evenly, for ids and wallets however alike", () => {
    fc.assert(
      fc.property(aWallet, (self) => {
        const buckets = Array.from({ length: 10 }, () => 0);
        for (const id of IDS) {
          const bucket = Math.floor(claimRank(seedOf(id), seedOf(self), []) * 20);
          buckets[bucket] = (buckets[bucket] ?? 0) + 1;
        }
        // 200 are expected in each; seven standard deviations either way.
        for (const count of buckets) expect(Math.abs(count - 200)).toBeLessThan(7 * Math.sqrt(180));
      }),
      { numRuns: 50 },
    );
  });

  it("has nothing to do with another worker's: of each one's first tenth a tenth is in the other's", () => {
    fc.assert(
      fc.property(fc.uniqueArray(aWallet, { minLength: 2, maxLength: 2 }), (wallets) => {
        const [one, other] = wallets.map((wallet) => new Set(inOrder(wallet, []).slice(0, 200)));
        const shared = [...(one ?? [])].filter((id) => other?.has(id)).length;
        expect(shared).toBeLessThan(20 + 7 * Math.sqrt(18));
      }),
      { numRuns: 50 },
    );
  });

  it("where workers know of each other, has them begin with activities that nobody else begins with", () => {
    fc.assert(
      fc.property(fc.uniqueArray(aWallet, { minLength: 2, maxLength: 6 }), (wallets) => {
        const own = wallets.map((self) => {
          const rivals = wallets.filter((wallet) => wallet !== self);
          return IDS.filter((id) => claimRank(seedOf(id), seedOf(self), rivals.map(seedOf)) < 0.5);
        });
        // Each is somebody's and nobody else's, and the shares are alike.
        expect(own.flat().toSorted()).toEqual(IDS);
        for (const share of own) {
          expect(share.length).toBeGreaterThan((IDS.length / wallets.length) * 0.6);
        }
      }),
      { numRuns: 50 },
    );
  });

  it("has a worker that runs out of its own take what its rival comes to last", () => {
    const [self, rival] = ["0xaa", "0xbb"] as const;
    const others = inOrder(self, [rival]).slice(-500);
    const theirs = inOrder(rival, [self]);
    const places = others.map((id) => theirs.indexOf(id));
    expect(places).toEqual(places.toSorted((a, b) => b - a));
  });
});

describe("the number of simultaneous claims", () => {
  const result = fc.record({ won: fc.boolean(), isOld: fc.boolean() });

  it("never leaves 1 to the most", () => {
    fc.assert(
      fc.property(fc.array(result), fc.integer({ min: 1, max: 64 }), (results, most) => {
        let window: ClaimWindow = { size: most, epoch: 0 };
        for (const { won, isOld } of results) {
          const startedIn = isOld ? Math.max(0, window.epoch - 1) : window.epoch;
          window = nextWindow(window, won ? "won" : "lost", { most, startedIn });
          expect(window.size).toBeGreaterThanOrEqual(1);
          expect(window.size).toBeLessThanOrEqual(most);
        }
      }),
    );
  });

  it("doubles with each win until a race is lost, from a small beginning", () => {
    expect([1, 2, 16, 64].map((most) => firstWindow(most).size)).toEqual([1, 2, 2, 8]);
    const won = (window: ClaimWindow) => nextWindow(window, "won", { most: 16, startedIn: window.epoch });
    expect(won(firstWindow(16)).size).toBe(4);
    expect(won(won(won(won(firstWindow(16))))).size).toBe(16);
  });

  it("is halved by a lost race, once for all that were lost together, and grows by one with each win", () => {
    const most = 16;
    let window: ClaimWindow = { size: 16, epoch: 0 };
    for (let lost = 0; lost < 5; lost += 1) window = nextWindow(window, "lost", { most, startedIn: 0 });
    expect(window).toEqual({ size: 8, epoch: 1 });
    window = nextWindow(window, "lost", { most, startedIn: 1 });
    expect(window.size).toBe(4);
    window = nextWindow(window, "won", { most, startedIn: 1 });
    expect(window.size).toBe(5);
  });
});

describe("two workers on one queue of 200", () => {
  it.each([1, 4, 16])("with %i claims at once each lose next to none of them", (slots) => {
    const rates = Array.from({ length: 10 }, (_, round) => race([`0xa${round}`, `0xb${round}`], slots));
    const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
    expect(mean).toBeLessThanOrEqual(0.005);
  });
});

function inOrder(self: string, rivals: readonly string[]): string[] {
  const seeds = rivals.map(seedOf);
  return IDS.map((id) => ({ id, rank: claimRank(seedOf(id), seedOf(self), seeds) }))
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ id }) => id);
}

interface Racer {
  readonly name: string;
  window: ClaimWindow;
  /** Knows its rival from the first claim that it sees. */
  rivals: readonly string[];
}

/**
 * Both claim in every block what comes first in their order, as many as their window has; in a block one of
 * two that want the same gets it. They see each other's claims when the block is there. Share of claims lost.
 */
function race(names: readonly string[], slots: number): number {
  const open = new Set(IDS.slice(0, 200));
  const racers: Racer[] = names.map((name) => ({ name, window: firstWindow(slots), rivals: [] }));
  let claims = 0;
  let lost = 0;
  for (let block = 0; open.size > 0; block += 1) {
    const taken = new Set<string>();
    const wishes = racers.map((racer) => wishesOf(racer, [...open], slots));
    for (const index of block % 2 === 0 ? [0, 1] : [1, 0]) {
      const racer = racers.at(index);
      if (racer === undefined) throw new Error("there are two racers");
      const results = (wishes[index] ?? []).map((id) => (taken.has(id) ? "lost" : "won"));
      for (const id of wishes[index] ?? []) taken.add(id);
      claims += results.length;
      lost += results.filter((result) => result === "lost").length;
      const startedIn = racer.window.epoch;
      for (const result of results) {
        racer.window = nextWindow(racer.window, result, { most: slots, startedIn });
      }
    }
    for (const racer of racers) racer.rivals = names.filter((name) => name !== racer.name);
    for (const id of taken) open.delete(id);
  }
  return lost / claims;
}

function wishesOf({ name, rivals, window }: Racer, open: readonly string[], slots: number): string[] {
  const ranked = open
    .map((id) => ({ id, rank: claimRank(seedOf(id), seedOf(name), rivals.map(seedOf)) }))
    .toSorted((a, b) => a.rank - b.rank);
  const own = ranked.filter(({ rank }) => rivals.length === 0 || !isContested(rank));
  const others = ranked.slice(own.length);
  const left = 2 * rivals.length * slots;
  const most = rivals.length === 0 ? 0 : mostContested({ open: open.length, contested: others.length, left });
  return [...own, ...others.slice(0, most)].slice(0, window.size).map(({ id }) => id);
}
