import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Execution } from "@subnet-worker/protocol";
import {
  Health,
  ServerReflection,
  ServerReflectionAlpha,
  type ServerReflectionResponse,
  ServingStatus,
} from "@subnet-worker/protocol/grpc";
import { createDeferred } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import { assignment, TestStream } from "./_stream.ts";
import { scriptedHandler, startWep, type TestWep } from "./_wep.ts";

function transportTo({ port }: TestWep) {
  return createGrpcTransport({ baseUrl: `http://127.0.0.1:${port}` });
}

type Question = Parameters<typeof ask>[1];

/** One question, one answer. */
async function ask(
  wep: TestWep,
  messageRequest: NonNullable<ServerReflectionResponse["originalRequest"]>["messageRequest"],
): Promise<ServerReflectionResponse["messageResponse"]> {
  const client = createClient(ServerReflection, transportTo(wep));
  const answers = client.serverReflectionInfo(once1({ messageRequest }));
  for await (const { messageResponse } of answers) return messageResponse;
  throw new Error("no answer");
}

async function* once1<T>(value: T): AsyncGenerator<T> {
  yield value;
}

function filesIn(answer: ServerReflectionResponse["messageResponse"]): FileDescriptorProto[] {
  if (answer.case !== "fileDescriptorResponse") throw new Error(`answered with ${answer.case}`);
  return answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
}

describe("gRPC health", () => {
  it("is SERVING for the server and for the service, and unknown for others", async () => {
    await using wep = await startWep({ handlers: [scriptedHandler().handler] });
    const health = createClient(Health, transportTo(wep));
    expect(await health.check({})).toMatchObject({ status: ServingStatus.SERVING });
    expect(await health.check({ service: Execution.typeName })).toMatchObject({
      status: ServingStatus.SERVING,
    });
    await expect(health.check({ service: "x.Y" })).rejects.toMatchObject({ code: Code.NotFound });
    for await (const { status } of health.watch({ service: "x.Y" })) {
      expect(status).toBe(ServingStatus.SERVICE_UNKNOWN);
      break;
    }
  });

  it("is NOT_SERVING where nothing can be run", async () => {
    await using wep = await startWep({ handlers: [] });
    const health = createClient(Health, transportTo(wep));
    expect(await health.check({})).toMatchObject({ status: ServingStatus.NOT_SERVING });
  });

  it("changes to NOT_SERVING while the server drains, and whoever watches is told", async () => {
    const work = scriptedHandler();
    const wep = await startWep({ handlers: [work.handler], maxConcurrency: 4 });
    await using stream = await TestStream.open(wep.port);
    for (let count = 0; count < 3; count += 1) stream.send("assign", assignment());
    const calls = [await work.nextCall(), await work.nextCall(), await work.nextCall()];
    const health = createClient(Health, transportTo(wep));
    const seen: ServingStatus[] = [];
    const first = createDeferred();
    const drained = createDeferred();
    const watching = (async () => {
      for await (const { status } of health.watch({})) {
        seen.push(status);
        first.resolve();
        if (status === ServingStatus.NOT_SERVING) drained.resolve();
      }
    })();
    await first.promise;
    const draining = wep.server.drain();
    await drained.promise;
    expect(await health.check({})).toMatchObject({ status: ServingStatus.NOT_SERVING });
    for (const call of calls) call.end.resolve({});
    await draining;
    const closing = wep[Symbol.asyncDispose]();
    await expect(watching).rejects.toMatchObject({ code: Code.Unavailable });
    await closing;
    expect(seen).toEqual([ServingStatus.SERVING, ServingStatus.NOT_SERVING]);
  });

  it("forgets whoever stops watching", async () => {
    await using wep = await startWep({ handlers: [scriptedHandler().handler] });
    const health = createClient(Health, transportTo(wep));
    const stop = new AbortController();
    const watching = (async () => {
      for await (const _ of health.watch({}, { signal: stop.signal })) stop.abort();
    })();
    await expect(watching).rejects.toMatchObject({ code: Code.Canceled });
    expect(await health.check({})).toMatchObject({ status: ServingStatus.SERVING });
  });
});

describe("gRPC reflection", () => {
  it("lists what is served", async () => {
    await using wep = await startWep({ handlers: [] });
    const answer = await ask(wep, { case: "listServices", value: "" });
    const names = answer.case === "listServicesResponse" ? answer.value.service.map(({ name }) => name) : [];
    expect(names).toEqual([
      "execution.v1.Execution",
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
    ]);
  });

  it.each<readonly [string, Question]>([
    ["its service", { case: "fileContainingSymbol", value: "execution.v1.Execution" }],
    ["a method", { case: "fileContainingSymbol", value: "execution.v1.Execution.TaskStream" }],
    ["a message", { case: "fileContainingSymbol", value: "execution.v1.Envelope" }],
    ["a field", { case: "fileContainingSymbol", value: "execution.v1.Envelope.hello" }],
    ["its path", { case: "fileByFilename", value: "execution/v1/execution.proto" }],
  ])("gives a file by %s, so that a tool can call what it describes", async (_what, question) => {
    await using wep = await startWep({ handlers: [] });
    const [file, ...imports] = filesIn(await ask(wep, question));
    const registry = createFileRegistry(file!, (name) => imports.find((each) => each.name === name));
    const service = registry.getService("execution.v1.Execution");
    expect(service?.method["taskStream"]).toMatchObject({ methodKind: "bidi_streaming" });
    const envelope = registry.getMessage("execution.v1.Envelope");
    expect(envelope?.fields.map(({ number }) => number)).toEqual(expect.arrayContaining([1, 10, 20, 27]));
  });

  it("says what it does not know, and goes on", async () => {
    await using wep = await startWep({ handlers: [] });
    for (const question of [
      { case: "fileContainingSymbol", value: "no.Such" },
      { case: "fileByFilename", value: "no/such.proto" },
      { case: "fileContainingExtension", value: { containingType: "x.Y", extensionNumber: 7 } },
    ] as readonly Question[]) {
      const answer = await ask(wep, question);
      expect(answer).toMatchObject({ case: "errorResponse", value: { errorCode: Code.NotFound } });
    }
    expect(
      await ask(wep, { case: "allExtensionNumbersOfType", value: "execution.v1.Envelope" }),
    ).toMatchObject({
      case: "allExtensionNumbersResponse",
      value: { extensionNumber: [] },
    });
  });

  it("answers under its older name too", async () => {
    await using wep = await startWep({ handlers: [] });
    const client = createClient(ServerReflectionAlpha, transportTo(wep));
    const asked = once1({ host: "h", messageRequest: { case: "listServices" as const, value: "" } });
    for await (const { validHost, originalRequest, messageResponse } of client.serverReflectionInfo(asked)) {
      expect(validHost).toBe("h");
      expect(originalRequest?.messageRequest.case).toBe("listServices");
      expect(messageResponse.case === "listServicesResponse" && messageResponse.value.service.length).toBe(4);
    }
  });
});

/** `npm test` puts one with grpcio on the PATH where it can. */
const PYTHON = "python3";
const hasGrpcio = spawnSync(PYTHON, ["-c", "import grpc"]).status === 0;

describe.skipIf(!hasGrpcio)("the C core of gRPC, through python3-grpcio", () => {
  it("reads health and reflection", async () => {
    await using wep = await startWep({ handlers: [scriptedHandler().handler] });
    const child = spawn(PYTHON, ["-c", PYTHON_CLIENT, String(wep.port)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
    expect(await once(child, "close")).toEqual([0, null]);
    expect(JSON.parse(said)).toEqual({ health: "0801", unknown: "NOT_FOUND", services: true });
  });
});

/** Without stubs: what goes over the wire is written by hand. */
const PYTHON_CLIENT = `
import grpc, json, sys
channel = grpc.insecure_channel("127.0.0.1:" + sys.argv[1])
raw = dict(request_serializer=lambda b: b, response_deserializer=lambda b: b)
check = channel.unary_unary("/grpc.health.v1.Health/Check", **raw)
info = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", **raw)
health = check(b"", timeout=20).hex()
try:
    check(b"\\x0a\\x03x.Y", timeout=20)
    unknown = "OK"
except grpc.RpcError as error:
    unknown = error.code().name
answer = next(info(iter([b"\\x3a\\x00"]), timeout=20))
print(json.dumps({"health": health, "unknown": unknown, "services": b"execution.v1.Execution" in answer}))
`;
