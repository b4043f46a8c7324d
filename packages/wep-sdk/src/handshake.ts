import { Code, ConnectError } from "@connectrpc/connect";
import type { Clock } from "@subnet-worker/kit";
import {
  type Envelope,
  hasAdditions,
  negotiateVersion,
  type Version,
  VersionError,
  type VersionRange,
} from "@subnet-worker/protocol";

/** Who is at the other end, after the handshake. */
export interface Peer {
  /** The version that both speak. */
  readonly version: string;
  readonly hasAdditions: boolean;
  /** Empty where it names none. */
  readonly nodeId: string;
  /** Tells a restart from a reconnect; empty where it says none. */
  readonly instanceId: string;
  /** Software name and version, for logs. */
  readonly agent: string;
  /** Messages it takes in one; 0: none. */
  readonly maxBatch: number;
  /** Whether it answers requests for downloads and for uploads in parts. */
  readonly brokersStorage: boolean;
}

/** Nobody: before the handshake. */
export const NOBODY: Peer = {
  version: "",
  hasAdditions: false,
  nodeId: "",
  instanceId: "",
  agent: "",
  maxBatch: 0,
  brokersStorage: false,
};

const LONGEST_NODE_ID_CHARS = 256;

/**
 * The first message of a stream.
 *
 * @throws {ConnectError} when it is no hello, or does not come in time
 */
export async function readHello(
  reader: AsyncIterator<Envelope>,
  { clock, timeoutMs }: { readonly clock: Clock; readonly timeoutMs: number },
): Promise<Version> {
  const late = Promise.withResolvers<never>();
  using _ = clock.timer(timeoutMs, () =>
    late.reject(new ConnectError(`no hello within ${timeoutMs} ms; send it first`, Code.DeadlineExceeded)),
  );
  const first = await Promise.race([reader.next(), late.promise]);
  if (first.done === true)
    throw new ConnectError("the stream ended before hello; send it first", Code.InvalidArgument);
  const { msg } = first.value;
  if (msg.case === "hello") return msg.value;
  const got = msg.case ?? "a message this build does not know";
  throw new ConnectError(`the first message must be hello, not ${got}`, Code.InvalidArgument);
}

/** Settles on a version. @throws {ConnectError} when there is none that both speak, or the hello makes no sense */
export function meet(hello: Version, ours: VersionRange): Peer {
  const { nodeId, instanceId, agent, maxBatch } = hello;
  if (nodeId.length > LONGEST_NODE_ID_CHARS) {
    throw new ConnectError(
      `node_id has ${nodeId.length} characters; use at most ${LONGEST_NODE_ID_CHARS}`,
      Code.InvalidArgument,
    );
  }
  const version = negotiate(hello, ours);
  const isLater = hasAdditions(version);
  const brokersStorage = isLater && hello.brokersStorage;
  return { version, hasAdditions: isLater, nodeId, instanceId, agent, maxBatch, brokersStorage };
}

function negotiate(hello: Version, ours: VersionRange): string {
  try {
    return negotiateVersion(ours, hello);
  } catch (error) {
    if (!(error instanceof VersionError)) throw error;
    const code = error.code === "NO_COMMON_VERSION" ? Code.FailedPrecondition : Code.InvalidArgument;
    throw new ConnectError(error.message, code);
  }
}
