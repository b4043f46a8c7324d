// The deployed interface, byte by byte: worked out by hand from its field numbers
// and types, so that a change to the .proto or the generator cannot pass unseen.
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { type Envelope, envelope, EnvelopeSchema } from "./index.ts";

/**
 * Reads `0a 05 'hello'` as bytes: two hex digits each, and text between quotes.
 * A field starts with number * 8 + wire type (0 varint, 2 length-delimited).
 */
function wire(text: string): Uint8Array {
  const tokens = text.match(/'[^']*'|[0-9a-f]{2}|\S/g) ?? [];
  return new Uint8Array(
    Buffer.concat(
      tokens.map((token) =>
        token.startsWith("'") ? Buffer.from(token.slice(1, -1)) : Buffer.from(token, "hex"),
      ),
    ),
  );
}

const DEPLOYED: readonly { readonly message: Envelope; readonly bytes: string }[] = [
  {
    message: envelope("hello", { min: "1.0.0", max: "1.1.0" }),
    bytes: "0a 0e  0a 05 '1.0.0'  12 05 '1.1.0'",
  },
  {
    message: envelope("helloAck", { min: "1.0.0", max: "1.0.0" }),
    bytes: "12 0e  0a 05 '1.0.0'  12 05 '1.0.0'",
  },
  {
    message: envelope("capabilities", { maxConcurrency: 300, tags: ["gpu", "io"] }),
    bytes: "1a 0c  08 ac 02  12 03 'gpu'  12 02 'io'",
  },
  { message: envelope("capacity", { availableSlots: 5 }), bytes: "22 02  08 05" },
  {
    message: envelope("assign", {
      activityId: "a",
      workflowInstanceId: "w",
      runId: "r",
      taskKind: "k",
      taskVersion: "v",
      inputs: [
        { name: "n", mediaType: "m/t", ref: "u", inlineJson: "1", inlineBytes: new Uint8Array([255, 0]) },
        { name: "o" },
      ],
      uploadPrefix: "p/",
      softDeadlineUnix: 1_700_000_000n,
      heartbeatIntervalS: -1,
    }),
    bytes: `2a 3d
      0a 01 'a'  12 01 'w'  1a 01 'r'  22 01 'k'  2a 01 'v'
      32 12  0a 01 'n'  12 03 'm/t'  1a 01 'u'  22 01 '1'  2a 02 ff 00
      32 03  0a 01 'o'
      3a 02 'p/'
      40 80 e2 cf aa 06
      48 ff ff ff ff ff ff ff ff ff 01`,
  },
  { message: envelope("ack", { activityId: "a", runId: "r" }), bytes: "32 06  0a 01 'a'  12 01 'r'" },
  {
    message: envelope("progress", {
      activityId: "a",
      runId: "r",
      percent: 42,
      message: "m",
      checkpointRef: "c",
    }),
    bytes: "3a 0e  0a 01 'a'  12 01 'r'  18 2a  22 01 'm'  2a 01 'c'",
  },
  {
    message: envelope("completion", {
      activityId: "a",
      runId: "r",
      status: "SUCCESS",
      resultRef: "k",
      resultInline: new Uint8Array([123, 125]),
      error: "e",
    }),
    bytes: "42 19  0a 01 'a'  12 01 'r'  1a 07 'SUCCESS'  22 01 'k'  2a 02 '{}'  32 01 'e'",
  },
  {
    message: envelope("cancel", { activityId: "a", reason: "drain" }),
    bytes: "4a 0a  0a 01 'a'  12 05 'drain'",
  },
  { message: envelope("drain", {}), bytes: "52 00" },
];

describe.each(DEPLOYED)("$message.msg.case", ({ message, bytes }) => {
  test("has the bytes of the deployed interface", () => {
    expect(Buffer.from(toBinary(EnvelopeSchema, message)).toString("hex")).toBe(
      Buffer.from(wire(bytes)).toString("hex"),
    );
  });

  test("reads back from them", () => {
    expect(fromBinary(EnvelopeSchema, wire(bytes))).toEqual(message);
  });
});

test("all ten deployed messages are covered", () => {
  expect(DEPLOYED.map(({ message }) => toBinary(EnvelopeSchema, message)[0])).toEqual(
    Array.from({ length: 10 }, (_, index) => (index + 1) * 8 + 2),
  );
});

describe("what is unknown", () => {
  test("in a message is passed over, and its known fields are read", () => {
    // Field 99 as varint, text, fixed64 and fixed32, before and after the known ones.
    const bytes = wire(
      "0a 26  98 06 01  0a 05 '1.0.0'  9a 06 02 'hi'  99 06 0000000000000000  12 05 '1.1.0'  9d 06 00000000",
    );
    const { msg } = fromBinary(EnvelopeSchema, bytes);
    expect(msg).toMatchObject({ case: "hello", value: { min: "1.0.0", max: "1.1.0", instanceId: "" } });
  });

  test("beside a message is passed over", () => {
    const { msg } = fromBinary(EnvelopeSchema, wire("f8 06 07  22 02 08 05"));
    expect(msg).toMatchObject({ case: "capacity", value: { availableSlots: 5 } });
  });

  test("as a message of a later version reads as none", () => {
    const later = fromBinary(EnvelopeSchema, wire("92 03 04  0a 02 'hi'")); // field 50
    expect(later.msg.case).toBeUndefined();
  });

  test("is kept when a message is passed on", () => {
    const bytes = wire("0a 0c  0a 05 '1.0.0'  9a 06 02 'hi'");
    expect(toBinary(EnvelopeSchema, fromBinary(EnvelopeSchema, bytes))).toEqual(bytes);
  });
});

test.each([
  ["cut off", "0a 0e 0a 05 '1.0.0'"],
  ["with a length beyond its end", "0a ff ff ff ff 0f"],
  ["with a varint without an end", "22 0b  08 ff ff ff ff ff ff ff ff ff ff ff"],
  ["with text that is not UTF-8", "0a 03  0a 01 ff"],
  ["that ends a group that did not begin", "0c"],
])("a message %s is refused", (_what, bytes) => {
  expect(() => fromBinary(EnvelopeSchema, wire(bytes))).toThrow();
});
