import { readFileSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { Chain, LEASE_S, Reverted } from "./_chain.ts";

// Every call on an activity in every state, beside the table in docs/states/activity.md.

let chain: Chain;
let holder: string;
let other: string;
beforeAll(async () => {
  chain = await Chain.start();
  holder = await chain.worker(1);
  other = await chain.worker(2);
  await chain.remember();
});
afterAll(() => chain[Symbol.asyncDispose]());
beforeEach(() => chain.rewind());

type State = "queued" | "leased" | "lapsed" | "completed" | "failed" | "withdrawn";

const requester = () => chain.accounts[9]!;

const CALLS = {
  "claim by its holder": (id: string) => [holder, ["taskQueue", "claimActivity", id]],
  "claim by another worker": (id: string) => [other, ["taskQueue", "claimActivity", id]],
  "claim by a stranger": (id: string) => [chain.accounts[7]!, ["taskQueue", "claimActivity", id]],
  "heartbeat by its holder": (id: string) => [holder, ["taskQueue", "heartbeatActivity", id, 7]],
  "heartbeat by another worker": (id: string) => [other, ["taskQueue", "heartbeatActivity", id, 7]],
  "completion by its holder": (id: string) => [holder, ["taskQueue", "completeActivity", id, "0x01"]],
  "completion by another worker": (id: string) => [other, ["taskQueue", "completeActivity", id, "0x01"]],
  "failure by its holder": (id: string) => [holder, ["taskQueue", "failActivity", id, "broken"]],
  "failure by another worker": (id: string) => [other, ["taskQueue", "failActivity", id, "broken"]],
  "release by anybody": (id: string) => [chain.accounts[7]!, ["taskQueue", "releaseExpired", id]],
  "withdrawal by its requester": (id: string) => [requester(), ["taskQueue", "withdrawActivity", id]],
  "withdrawal by another": (id: string) => [other, ["taskQueue", "withdrawActivity", id]],
} as const satisfies Record<
  string,
  (id: string) => readonly [string, readonly ["taskQueue", string, ...unknown[]]]
>;
type CallName = keyof typeof CALLS;

/** The state afterwards, or the error. */
const SETTLED = {
  "claim by its holder": "ActivityAlreadySettled",
  "claim by another worker": "ActivityAlreadySettled",
  "claim by a stranger": "ActivityAlreadySettled",
  "heartbeat by its holder": "ActivityAlreadySettled",
  "heartbeat by another worker": "ActivityAlreadySettled",
  "completion by its holder": "ActivityAlreadySettled",
  "completion by another worker": "ActivityAlreadySettled",
  "failure by its holder": "ActivityAlreadySettled",
  "failure by another worker": "ActivityAlreadySettled",
  "release by anybody": "ActivityAlreadySettled",
  "withdrawal by another": "NotRequester",
} as const;

const EXPECTED: Readonly<Record<State, Readonly<Record<CallName, string>>>> = {
  queued: {
    "claim by its holder": "leased",
    "claim by another worker": "leased",
    "claim by a stranger": "WorkerNotActive",
    "heartbeat by its holder": "NotAssignedWorker",
    "heartbeat by another worker": "NotAssignedWorker",
    "completion by its holder": "NotAssignedWorker",
    "completion by another worker": "NotAssignedWorker",
    "failure by its holder": "NotAssignedWorker",
    "failure by another worker": "NotAssignedWorker",
    "release by anybody": "NotAssignedWorker",
    "withdrawal by its requester": "withdrawn",
    "withdrawal by another": "NotRequester",
  },
  leased: {
    "claim by its holder": "ActivityAlreadyClaimed",
    "claim by another worker": "ActivityAlreadyClaimed",
    "claim by a stranger": "ActivityAlreadyClaimed",
    "heartbeat by its holder": "leased",
    "heartbeat by another worker": "NotAssignedWorker",
    "completion by its holder": "completed",
    "completion by another worker": "NotAssignedWorker",
    "failure by its holder": "failed",
    "failure by another worker": "NotAssignedWorker",
    "release by anybody": "LeaseNotExpired",
    "withdrawal by its requester": "nothing",
    "withdrawal by another": "NotRequester",
  },
  lapsed: {
    "claim by its holder": "leased",
    "claim by another worker": "leased",
    "claim by a stranger": "WorkerNotActive",
    "heartbeat by its holder": "LeaseExpired",
    "heartbeat by another worker": "NotAssignedWorker",
    "completion by its holder": "LeaseExpired",
    "completion by another worker": "NotAssignedWorker",
    "failure by its holder": "LeaseExpired",
    "failure by another worker": "NotAssignedWorker",
    "release by anybody": "queued",
    "withdrawal by its requester": "withdrawn",
    "withdrawal by another": "NotRequester",
  },
  completed: { ...SETTLED, "withdrawal by its requester": "nothing" },
  failed: { ...SETTLED, "withdrawal by its requester": "nothing" },
  withdrawn: { ...SETTLED, "withdrawal by its requester": "nothing" },
};

const ROADS: Readonly<Record<State, (id: string) => Promise<unknown>>> = {
  queued: async () => undefined,
  leased: (id) => run("claim by its holder", id),
  lapsed: async (id) => {
    await run("claim by its holder", id);
    await chain.advance(LEASE_S);
  },
  completed: async (id) => {
    await run("claim by its holder", id);
    await run("completion by its holder", id);
  },
  failed: async (id) => {
    await run("claim by its holder", id);
    await run("failure by its holder", id);
  },
  withdrawn: (id) => run("withdrawal by its requester", id),
};

function run(name: CallName, id: string) {
  const [from, call] = CALLS[name](id);
  return chain.send(from, call);
}

async function stateOf(id: string): Promise<State> {
  const { isAssigned, isCompleted, success, expiresAt } = await chain.activity(id);
  if (isCompleted && success) return "completed";
  if (isCompleted) return isAssigned ? "failed" : "withdrawn";
  if (!isAssigned) return "queued";
  return expiresAt > (await chain.nowS()) ? "leased" : "lapsed";
}

/** The state that the call led to, "nothing" when it changed nothing, or the error's name. */
async function outcomeOf(name: CallName, id: string): Promise<string> {
  try {
    const receipt = await run(name, id);
    return receipt.events().length === 0 ? "nothing" : await stateOf(id);
  } catch (error) {
    if (error instanceof Reverted) return error.revert.name;
    throw error;
  }
}

const pairs = (Object.keys(EXPECTED) as State[]).flatMap((state) =>
  (Object.keys(CALLS) as CallName[]).map((call) => ({ state, call, expected: EXPECTED[state][call] })),
);

it.each(pairs)("$state, $call: $expected", async ({ state, call, expected }) => {
  const id = await chain.enqueue({}, requester());
  await ROADS[state](id);
  expect(await stateOf(id)).toBe(state);
  const before = await chain.activity(id);
  expect(await outcomeOf(call, id)).toBe(expected);
  if (!(expected in EXPECTED)) expect(await chain.activity(id)).toEqual(before);
});

it("docs/states/activity.md lists exactly these transitions, and time's", () => {
  const text = readFileSync(new URL("../../../docs/states/activity.md", import.meta.url), "utf8");
  const table = text.slice(text.indexOf("| From | To |")).split("\n\n")[0]!;
  const documented = table
    .split("\n")
    .slice(2)
    .map((row) =>
      row
        .split("|")
        .slice(1, 3)
        .map((cell) => cell.trim())
        .join(" -> "),
    );
  const walked = pairs
    .filter(({ expected }) => expected in EXPECTED)
    .map(({ state, expected }) => `${state} -> ${expected}`);
  expect(documented.sort()).toEqual([...new Set(walked), "(none) -> queued", "leased -> lapsed"].sort());
});
