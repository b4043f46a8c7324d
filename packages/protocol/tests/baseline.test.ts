// The deployed .proto, compiled on its own, against ours.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import {
  create,
  createFileRegistry,
  type DescField,
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonValue,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { envelope, EnvelopeSchema, Execution } from "../src/index.ts";

const FOLDER = fileURLToPath(new URL("../wire-baseline", import.meta.url));
const BUF = fileURLToPath(new URL("bin/buf", import.meta.resolve("@bufbuild/buf/package.json")));
const baseline = createFileRegistry(
  fromBinary(FileDescriptorSetSchema, execFileSync(BUF, ["build", FOLDER, "-o", "-"])),
);

function baselineMessages(): readonly DescMessage[] {
  const file = baseline.getFile("execution/v1/execution.proto");
  if (file === undefined) throw new Error("wire-baseline has no execution/v1/execution.proto");
  return file.messages;
}

const OldEnvelope = baselineMessages().find(({ name }) => name === "Envelope")!;
const ourMessages = new Map(EnvelopeSchema.file.messages.map((message) => [message.name, message]));

/** What must never change about a field. */
function shape(field: DescField): string {
  const type =
    field.fieldKind === "message"
      ? field.message.name
      : field.fieldKind === "list"
        ? `list of ${field.listKind === "message" ? field.message.name : field.proto.type}`
        : `scalar ${field.proto.type}`;
  return `${field.number} ${field.name}: ${type}${field.oneof === undefined ? "" : ` in ${field.oneof.name}`}`;
}

describe.each(baselineMessages().map((message) => [message.name, message] as const))("%s", (name, old) => {
  const ours = ourMessages.get(name);

  test("still has every deployed field as it was", () => {
    expect(ours?.fields.map(shape)).toEqual(expect.arrayContaining(old.fields.map(shape)));
  });

  test("has additions only from field 20 on", () => {
    const known = new Set(old.fields.map(({ number }) => number));
    const additions = ours?.fields.filter(({ number }) => !known.has(number)) ?? [];
    for (const { number } of additions) expect(number).toBeGreaterThanOrEqual(20);
  });
});

test("the method is the deployed one: Execution.TaskStream, streaming both ways", () => {
  const { taskStream } = Execution.method;
  expect(Execution.typeName).toBe("execution.v1.Execution");
  expect([taskStream.name, taskStream.methodKind]).toEqual(["TaskStream", "bidi_streaming"]);
  expect([taskStream.input.typeName, taskStream.output.typeName]).toEqual([
    "execution.v1.Envelope",
    "execution.v1.Envelope",
  ]);
});

/** One of each deployed message with every field set, in protobuf's JSON. */
const FULL: readonly JsonValue[] = [
  { hello: { min: "1.0.0", max: "1.0.0" } },
  { helloAck: { min: "1.0.0", max: "2.0.0" } },
  { capabilities: { maxConcurrency: 4294967295, tags: ["gpu", "größer"] } },
  { capacity: { availableSlots: 1 } },
  {
    assign: {
      activityId: "0xa",
      workflowInstanceId: "0xb",
      runId: "r-1",
      taskKind: "audio.preprocess",
      taskVersion: "1.0.0",
      inputs: [{ name: "n", mediaType: "m/t", ref: "https://x", inlineJson: "1", inlineBytes: "AAE=" }],
      uploadPrefix: "runs/",
      softDeadlineUnix: "-9223372036854775808",
      heartbeatIntervalS: 2147483647,
    },
  },
  { ack: { activityId: "0xa", runId: "r-1" } },
  { progress: { activityId: "0xa", runId: "r-1", percent: 100, message: "m", checkpointRef: "c" } },
  {
    completion: {
      activityId: "0xa",
      runId: "r-1",
      status: "ERROR",
      resultRef: "k",
      resultInline: "e30=",
      error: "e",
    },
  },
  { cancel: { activityId: "0xa", reason: "deadline" } },
  { drain: {} },
];

test.each(FULL.map((json) => [Object.keys(json as object)[0], json] as const))(
  "%s from a deployed peer reads as it was meant, and goes back in the same bytes",
  (_case, json) => {
    const bytes = toBinary(OldEnvelope, fromJson(OldEnvelope, json));
    const ours = fromBinary(EnvelopeSchema, bytes);
    expect(toJson(EnvelopeSchema, ours)).toEqual(json);
    expect(toBinary(EnvelopeSchema, ours)).toEqual(bytes);
  },
);

test("every deployed message is covered", () => {
  expect(FULL.map((json) => Object.keys(json as object)[0])).toEqual(
    OldEnvelope.fields.map(({ jsonName }) => jsonName),
  );
});

describe("a deployed peer", () => {
  test("reads our messages without the additions, and loses none when it passes them on", () => {
    const hello = envelope("hello", { min: "1.0.0", max: "1.1.0", instanceId: "i", agent: "a/1" });
    const bytes = toBinary(EnvelopeSchema, hello);
    const theirs = fromBinary(OldEnvelope, bytes);
    expect(toJson(OldEnvelope, theirs)).toEqual({ hello: { min: "1.0.0", max: "1.1.0" } });
    expect(fromBinary(EnvelopeSchema, toBinary(OldEnvelope, theirs))).toEqual(hello);
  });

  test("reads a message that is an addition as none", () => {
    const ping = toBinary(EnvelopeSchema, envelope("ping", { nonce: 7n }));
    expect(toJson(OldEnvelope, fromBinary(OldEnvelope, ping))).toEqual({});
  });
});

test("an empty envelope is no bytes on either side", () => {
  expect(toBinary(EnvelopeSchema, create(EnvelopeSchema))).toHaveLength(0);
  expect(fromBinary(EnvelopeSchema, new Uint8Array()).msg.case).toBeUndefined();
});
