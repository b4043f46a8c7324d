import { envelope } from "@subnet-worker/protocol";
import { createLogger } from "@subnet-worker/kit";
import { FakeClock } from "@subnet-worker/testkit";
import { describe, expect, it } from "vitest";
import type { EnvelopeEvent } from "../src/index.ts";
import { assignment, TestStream } from "./_stream.ts";
import { type LogLine, scriptedHandler, startWep, until } from "./_wep.ts";

type Shown = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

function shownAs(events: readonly EnvelopeEvent[], kind: string): Readonly<Record<string, unknown>>[] {
  return events
    .map(({ envelope: message }) => (message as Shown)[kind])
    .filter((message) => message !== undefined);
}

describe("a tap", () => {
  it("shows every message both ways with its node, those of a batch one by one", async () => {
    const work = scriptedHandler();
    // Its time stands still: what a server says now and then by itself is not said.
    const clock = new FakeClock({ startMs: Date.now() });
    await using wep = await startWep({ handlers: [work.handler], clock });
    const events: EnvelopeEvent[] = [];
    using _ = wep.server.tap((event) => events.push(event));
    await using stream = await TestStream.open(wep.port, { nodeId: "node-1", maxBatch: 10 });
    const tasks = [assignment(), assignment()];
    stream.sendBatch(tasks.map((task) => envelope("assign", task)));
    for (const task of tasks) {
      (await work.nextCall()).end.resolve({});
      await stream.next("completion", ({ activityId }) => activityId === task.activityId);
    }
    const kinds = (direction: "in" | "out") =>
      events
        .filter((event) => event.direction === direction)
        .map(({ envelope: message }) => Object.keys(message as Shown)[0]);
    expect(kinds("in")).toEqual(["hello", "assign", "assign"]);
    expect(new Set(kinds("out"))).toEqual(
      new Set(["helloAck", "capabilities", "inventory", "capacity", "ack", "completion"]),
    );
    expect(kinds("out").filter((kind) => kind === "completion")).toHaveLength(2);
    expect(new Set(events.map(({ nodeId }) => nodeId))).toEqual(new Set(["node-1"]));
    const assigned = events.find(({ envelope: message }) => "assign" in (message as Shown));
    expect(assigned).toMatchObject({ nodeId: "node-1", peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/) });
    expect(Math.abs(Date.now() - assigned!.atMs)).toBeLessThan(60_000);
  });

  it("shows neither signatures nor contents", async () => {
    const work = scriptedHandler();
    await using wep = await startWep({ handlers: [work.handler] });
    const events: EnvelopeEvent[] = [];
    using _ = wep.server.tap((event) => events.push(event));
    await using stream = await TestStream.open(wep.port);
    const secret = "X-Amz-Signature=5ec2e7";
    const url = `https://store.example/bucket/a.wav?${secret}`;
    stream.send(
      "assign",
      assignment({
        uploadPrefix: "out/",
        inputs: [
          { name: "a", ref: url, objectKey: "bucket/a.wav" },
          { name: "b", inlineBytes: new TextEncoder().encode("5ec2e7") },
          { name: "c", inlineJson: JSON.stringify({ url }) },
        ],
        workflowInputs: [{ name: "d", inlineJson: JSON.stringify("long ".repeat(2_000)) }],
      }),
    );
    const call = await work.nextCall();
    const upload = call.ctx.upload("a.txt", "text", { mediaType: "text/plain" });
    upload.catch(() => undefined);
    const { requestId } = await stream.next("uploadRequest");
    stream.send("uploadGrant", { requestId, url, objectKey: "out/a.txt", error: "no room" });
    await expect(upload).rejects.toThrow("no room");
    call.end.resolve({ text: "5ec2e7" });
    await stream.next("completion");

    const text = JSON.stringify(events);
    expect(text).not.toContain("5ec2e7");
    expect(text).not.toContain(Buffer.from("5ec2e7").toString("base64").slice(0, 7));
    const [assign] = shownAs(events, "assign");
    expect(assign).toMatchObject({
      inputs: [
        { ref: "https://store.example/bucket/a.wav?...", objectKey: "bucket/a.wav" },
        { name: "b", inlineBytes: "<6 bytes>" },
        { inlineJson: '{"url":"https://store.example/bucket/a.wav?..."}' },
      ],
      workflowInputs: [{ inlineJson: expect.stringMatching(/\.\.\. <10002 characters>$/) }],
    });
    expect(shownAs(events, "uploadGrant")).toMatchObject([{ url: "https://store.example/bucket/a.wav?..." }]);
    expect(shownAs(events, "completion")).toMatchObject([{ status: "SUCCESS", resultInline: "<17 bytes>" }]);
    // What is shown is a copy: the handler got what was sent.
    expect(call.input["c"]).toEqual({ url });
    expect(call.input["b"]).toEqual(new TextEncoder().encode("5ec2e7"));
  });

  it("ends when it is disposed, and one that throws harms nobody", async () => {
    await using wep = await startWep({ handlers: [], clock: new FakeClock() });
    const events: string[] = [];
    const listener = () => void events.push("heard");
    const [first, second] = [wep.server.tap(listener), wep.server.tap(listener)];
    using _ = wep.server.tap(() => {
      throw new Error("my terminal is gone");
    });
    await using stream = await TestStream.open(wep.port);
    const ping = async (): Promise<number> => {
      events.length = 0;
      stream.send("ping", { nonce: 1n });
      await stream.next("pong");
      return events.length;
    };
    await stream.next("capacity");
    expect(await ping()).toBe(4);
    first[Symbol.dispose]();
    expect(await ping()).toBe(2);
    second[Symbol.dispose]();
    expect(await ping()).toBe(0);
    expect(
      wep.logs.some(
        ({ err }) => (err as { message?: string } | undefined)?.message === "my terminal is gone",
      ),
    ).toBe(true);
  });
});

describe("the log at level trace", () => {
  it("has every message as JSON", async () => {
    const logs: LogLine[] = [];
    const logger = createLogger({
      name: "wep",
      level: "trace",
      destination: { write: (line) => void logs.push(JSON.parse(line) as LogLine) },
    });
    await using wep = await startWep({ handlers: [], logger });
    await using stream = await TestStream.open(wep.port, { nodeId: "node-1" });
    stream.send("ping", { nonce: 7n });
    await stream.next("pong");
    await until(() =>
      logs.some((line) => line["msg"] === "envelope" && JSON.stringify(line).includes("pong")),
    );
    const lines = logs.filter(({ msg }) => msg === "envelope");
    expect(lines).toContainEqual(
      expect.objectContaining({
        level: "trace",
        direction: "in",
        node_id: "node-1",
        envelope: { ping: { nonce: "7" } },
      }),
    );
  });
});
