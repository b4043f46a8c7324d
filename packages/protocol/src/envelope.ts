import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Envelope, EnvelopeSchema } from "./gen/execution/v1/execution_pb.ts";

type Init = Exclude<NonNullable<MessageInitShape<typeof EnvelopeSchema>["msg"]>, { case: undefined }>;

/**
 * Wraps one message for the stream.
 *
 * @example
 * ```ts
 * import { envelope } from "@subnet-worker/protocol";
 *
 * const hello = envelope("hello", { min: "1.0.0", max: "1.1.0" });
 * ```
 */
export function envelope<K extends NonNullable<Init["case"]>>(
  kind: K,
  value: Extract<Init, { case: K }>["value"],
): Envelope {
  return create(EnvelopeSchema, { msg: { case: kind, value } as Init });
}
