import { isClock, readClock } from "./clocks.ts";
import { ERRNO } from "./errno.ts";
import type { Stdio, StdioCall } from "./stdio.ts";

/** Layouts of preview 1, bytes. */
const SUBSCRIPTION = { sizeBytes: 48, tag: 8, clockId: 16, fd: 16, timeout: 24, flags: 40 } as const;
const EVENT = { sizeBytes: 32, errno: 8, type: 10, readyBytes: 16, flags: 24 } as const;
const EVENT_TYPE = { clock: 0, fdRead: 1, fdWrite: 2 } as const;
const FLAG_ABSOLUTE = 1;
const FLAG_HANGUP = 1;
/** Longer waits are as long as this, 146 years: more than a thread of the system can be asked to wait for. */
const LONGEST_WAIT_NS = 2n ** 62n;

interface Subscription {
  readonly type: number;
  readonly errno: number;
  /** From now; 0 for what is ready. */
  readonly delayNs: bigint;
  readonly readyBytes: number;
  readonly isAtEnd: boolean;
}

/** Each clock is read at most once in a call, so that all of its subscriptions are seen from the same moment. */
type ClocksOfCall = Map<number, bigint>;

/** Waits for clocks. Descriptors never make a guest wait: stdin is all there, stdout takes what it gets. */
export function pollOneoff(
  call: StdioCall,
  ...[input, output, length, result]: [input: number, output: number, length: number, result: number]
): number {
  const { host, memory } = call;
  const count = length >>> 0;
  if (count === 0) return ERRNO.inval;
  memory.check(result, 4);
  const begin = memory.check(input, count * SUBSCRIPTION.sizeBytes);
  memory.check(output, count * EVENT.sizeBytes);
  host.charge(count * (SUBSCRIPTION.sizeBytes + EVENT.sizeBytes));
  const clocks: ClocksOfCall = new Map();
  let waitNs: bigint | undefined;
  for (let index = 0; index < count; index += 1) {
    const subscription = readSubscription(call, begin + index * SUBSCRIPTION.sizeBytes, clocks);
    if (subscription === undefined) return ERRNO.inval;
    if (waitNs === undefined || subscription.delayNs < waitNs) waitNs = subscription.delayNs;
  }
  if (waitNs !== undefined && waitNs > 0n) host.sleepNs(waitNs);
  const due = { begin, count, waitNs: waitNs ?? 0n, clocks };
  memory.setU32(result, writeEvents(call, output >>> 0, due));
  return ERRNO.success;
}

/** `undefined` for a kind that there is not. */
function readSubscription(call: StdioCall, at: number, clocks: ClocksOfCall): Subscription | undefined {
  const { memory, stdio } = call;
  const type = memory.u8(at + SUBSCRIPTION.tag);
  switch (type) {
    case EVENT_TYPE.clock:
      return readClockSubscription(call, at, clocks);
    case EVENT_TYPE.fdRead:
      return describeRead(stdio, memory.u32(at + SUBSCRIPTION.fd));
    case EVENT_TYPE.fdWrite:
      return describeWrite(stdio, memory.u32(at + SUBSCRIPTION.fd));
    default:
      return undefined;
  }
}

function readClockSubscription(call: StdioCall, at: number, clocks: ClocksOfCall): Subscription {
  const { memory } = call;
  const clockId = memory.u32(at + SUBSCRIPTION.clockId);
  if (!isClock(clockId)) return ready(EVENT_TYPE.clock, { errno: ERRNO.inval });
  const timeoutNs = memory.u64(at + SUBSCRIPTION.timeout);
  const isAbsolute = (memory.u16(at + SUBSCRIPTION.flags) & FLAG_ABSOLUTE) !== 0;
  const delayNs = isAbsolute ? timeoutNs - nowNs(call, clockId, clocks) : timeoutNs;
  return { ...ready(EVENT_TYPE.clock, {}), delayNs: clampWait(delayNs) };
}

function clampWait(delayNs: bigint): bigint {
  if (delayNs < 0n) return 0n;
  return delayNs > LONGEST_WAIT_NS ? LONGEST_WAIT_NS : delayNs;
}

function nowNs({ host }: StdioCall, clockId: number, clocks: ClocksOfCall): bigint {
  const now = clocks.get(clockId) ?? readClock(host, clockId) ?? 0n;
  clocks.set(clockId, now);
  return now;
}

function ready(type: number, more: Partial<Subscription>): Subscription {
  return { type, errno: ERRNO.success, delayNs: 0n, readyBytes: 0, isAtEnd: false, ...more };
}

function describeRead(stdio: Stdio, fd: number): Subscription {
  if (stdio.at(fd)?.stream !== "stdin") return ready(EVENT_TYPE.fdRead, { errno: ERRNO.badf });
  return ready(EVENT_TYPE.fdRead, { readyBytes: stdio.unreadBytes, isAtEnd: stdio.unreadBytes === 0 });
}

function describeWrite(stdio: Stdio, fd: number): Subscription {
  const stream = stdio.at(fd)?.stream;
  const isOpen = stream !== undefined && stream !== "stdin";
  return ready(EVENT_TYPE.fdWrite, { errno: isOpen ? ERRNO.success : ERRNO.badf });
}

/** Writes what is due after the wait, and returns how many. */
function writeEvents(
  call: StdioCall,
  output: number,
  due: {
    readonly begin: number;
    readonly count: number;
    readonly waitNs: bigint;
    readonly clocks: ClocksOfCall;
  },
): number {
  const { memory } = call;
  let written = 0;
  for (let index = 0; index < due.count; index += 1) {
    const at = due.begin + index * SUBSCRIPTION.sizeBytes;
    // A guest whose lists overlap reads what was written; it may get nonsense, and no more than that.
    const subscription = readSubscription(call, at, due.clocks);
    if (subscription === undefined || subscription.delayNs > due.waitNs) continue;
    const userData = memory.u64(at);
    const event = output + written * EVENT.sizeBytes;
    memory.range(event, EVENT.sizeBytes).fill(0);
    memory.setU64(event, userData);
    memory.setU16(event + EVENT.errno, subscription.errno);
    memory.setU8(event + EVENT.type, subscription.type);
    memory.setU64(event + EVENT.readyBytes, BigInt(subscription.readyBytes));
    memory.setU16(event + EVENT.flags, subscription.isAtEnd ? FLAG_HANGUP : 0);
    written += 1;
  }
  return written;
}
