import type { Benchmark, Report, Row } from "../benchmark.ts";
import { measureClaimGas, type OurLaneOptions, runOurLane } from "../lane/our-lane.ts";
import { runPlainLoop } from "../lane/plain-loop.ts";
import { ownBlocks, type OwnBlock, type Rig, type RigOptions, startRig } from "../lane/rig.ts";
import { mustHaveCompleted, runSignedPipeline } from "../lane/signed-pipeline.ts";
import { percentile, round } from "../report.ts";

const RUNS = 3;
const BLOCK_TIME_S = 1;
/** The loop's rate is that of the blocks: a few tell it. */
const LOOP_ACTIVITIES = 6;
const SINGLE_ACTIVITIES = 600;
const BATCHED_ACTIVITIES = 4_000;
const AUTOMINE_ACTIVITIES = 300;
const GAS_ACTIVITIES = 200;
/** Below what a worker may hold at once, 1,024. */
const WINDOW = 1_000;
/** The peer it is held against waits for nothing: 64, the default, has anvil and the lane take turns. */
const AUTOMINE_PENDING = 256;
/**
 * One transaction may use 2^24 gas since EIP-7825, and one batch is in flight at a time: a block of twice
 * that is never more than half full of one wallet's batches.
 */
const BATCH_BLOCK_GAS = 16_000_000;
/** Of a busy phase that says anything. */
const FEWEST_BLOCKS = 10;
const TRANSACTIONS_PER_ACTIVITY = 2;

/** The transaction lane by itself: store on disk, RPC, signer, no WEP. */
export const benchmark: Benchmark = {
  about:
    "the transaction lane beside a send-and-wait loop with ethers, anvil's own rate, and the block gas limit",
  run,
};

/** Medians tell more than means on a machine with neighbours. */
interface Sampled {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

async function run(): Promise<Report> {
  const single: number[] = [];
  const loop: number[] = [];
  const fill: number[] = [];
  const batched: number[] = [];
  const lane: number[] = [];
  const anvil: number[] = [];
  for (let index = 0; index < RUNS; index += 1) {
    const onBlocks = { blockTimeS: BLOCK_TIME_S };
    loop.push(await onRig({ ...onBlocks, activities: LOOP_ACTIVITIES }, runPlainLoop));
    single.push(
      await onRig(
        { ...onBlocks, activities: SINGLE_ACTIVITIES },
        rateOf({ batching: false, window: WINDOW }),
      ),
    );
    const full = await onRig(
      { ...onBlocks, activities: BATCHED_ACTIVITIES, blockGasLimit: BATCH_BLOCK_GAS },
      measureFill,
    );
    fill.push(full.fill);
    batched.push(full.perSecond);
    anvil.push(await onRig({ activities: AUTOMINE_ACTIVITIES }, runSignedPipeline));
    const ours = await onRig(
      { activities: AUTOMINE_ACTIVITIES },
      rateOf({
        batching: false,
        window: AUTOMINE_ACTIVITIES,
        confirmations: 0,
        maxPending: AUTOMINE_PENDING,
      }),
    );
    lane.push(ours * TRANSACTIONS_PER_ACTIVITY);
  }
  const gasRig = { activities: GAS_ACTIVITIES, blockTimeS: BLOCK_TIME_S };
  const gasSingle = await onRig(gasRig, (rig) => measureClaimGas(rig, false));
  const gasBatched = await onRig(gasRig, (rig) => measureClaimGas(rig, true));
  return toReport({ single, loop, fill, batched, lane, anvil, gasSingle, gasBatched });
}

async function onRig<T>(options: RigOptions, measure: (rig: Rig) => Promise<T>): Promise<T> {
  await using rig = await startRig(options);
  return await measure(rig);
}

function rateOf(options: OurLaneOptions) {
  return async (rig: Rig): Promise<number> => {
    const { perSecond } = await runOurLane(rig, options);
    await mustHaveCompleted(rig.chain, rig.activityIds.length);
    return perSecond;
  };
}

async function measureFill(rig: Rig): Promise<{ readonly fill: number; readonly perSecond: number }> {
  const { perSecond, fromBlock } = await runOurLane(rig, { batching: true, window: WINDOW });
  await mustHaveCompleted(rig.chain, rig.activityIds.length);
  const blocks = await ownBlocks(rig.chain, rig.worker.address, fromBlock);
  return { fill: fillOf(blocks), perSecond };
}

/**
 * Share of the block gas limit that our transactions used, from the first block that they fill by
 * more than half to the last: before, the lane delegates the wallet and learns what calls take, and
 * after, there is too little left to do. Every block in between counts, those without us too.
 */
function fillOf(blocks: readonly OwnBlock[]): number {
  const isBusy = ({ gasUsed, gasLimit }: OwnBlock) => gasUsed > gasLimit / 2;
  const [first, last] = [blocks.find(isBusy), blocks.findLast(isBusy)];
  if (first === undefined || last === undefined || last.number - first.number < FEWEST_BLOCKS)
    throw new Error("there is no busy phase to measure: batches never fill a block by half, or hardly ever");
  const busy = blocks.filter(({ number }) => number >= first.number && number <= last.number);
  const used = busy.reduce((sum, { gasUsed }) => sum + gasUsed, 0);
  return used / (first.gasLimit * (last.number - first.number + 1));
}

interface Measured {
  readonly single: readonly number[];
  readonly loop: readonly number[];
  readonly fill: readonly number[];
  readonly batched: readonly number[];
  readonly lane: readonly number[];
  readonly anvil: readonly number[];
  readonly gasSingle: number;
  readonly gasBatched: number;
}

function sampled(values: readonly number[]): Sampled {
  return { median: percentile(values, 0.5), low: Math.min(...values), high: Math.max(...values) };
}

/** The median, and the lowest and highest of the runs. */
function withSpread({ median, low, high }: Sampled, digits: number): string {
  return `${round(median, digits)} (${round(low, digits)} to ${round(high, digits)})`;
}

function toReport(measured: Measured): Report {
  const { gasSingle, gasBatched } = measured;
  const single = sampled(measured.single);
  const loop = sampled(measured.loop);
  const fill = sampled(measured.fill);
  const lane = sampled(measured.lane);
  const anvil = sampled(measured.anvil);
  // Of runs right after each other: whatever else the machine does in that minute slows both.
  const shares = measured.lane.map((rate, index) => rate / (measured.anvil[index] ?? Number.NaN));
  return {
    rows: [
      ...blockRows(single, loop),
      {
        what: "batching, block gas limit used by us",
        value: withSpread(fill, 3),
        beside: `limit 0.8; ${BATCHED_ACTIVITIES} activities, blocks of ${BATCH_BLOCK_GAS / 1e6} million gas: a transaction may use 16.8 million`,
      },
      {
        what: "batching, 1 s blocks",
        value: `${withSpread(sampled(measured.batched), 1)} activities/s`,
        beside: "the same runs",
      },
      {
        what: "automine, single transactions",
        value: `${withSpread(lane, 0)} tx/s`,
        beside: `anvil's own: ${withSpread(anvil, 0)} tx/s, the same claims and completions signed beforehand, 64 requests in flight, nothing waited for; ours with confirmations 0, as on any chain of instant finality, and max_pending ${AUTOMINE_PENDING}`,
      },
      {
        what: "gas of a claim, alone",
        value: String(Math.round(gasSingle)),
        beside: `mean of ${GAS_ACTIVITIES}`,
      },
      {
        what: "gas of a claim, batched",
        value: String(Math.round(gasBatched)),
        beside: `${round((100 * gasBatched) / gasSingle, 0)} % of that; limit 60 %`,
      },
    ],
    metrics: {
      single_over_loop_1s: round(single.median / loop.median, 1),
      batched_block_fill: round(fill.median, 3),
      share_of_anvil_tx_rate: round(sampled(shares).median, 3),
      gas_single: Math.round(gasSingle),
      gas_batched: Math.round(gasBatched),
    },
  };
}

function blockRows(single: Sampled, loop: Sampled): readonly Row[] {
  return [
    {
      what: "1 s blocks, single transactions",
      value: `${withSpread(single, 2)} activities/s`,
      beside: `${SINGLE_ACTIVITIES} activities, claim and complete each, median and range of ${RUNS} runs`,
    },
    {
      what: "1 s blocks, plain loop",
      value: `${withSpread(loop, 2)} activities/s`,
      beside: "ethers Wallet: send, wait for the receipt, send the next; asks for new blocks each 50 ms",
    },
  ];
}
