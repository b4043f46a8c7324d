import type { OfferSink } from "@subnet-worker/wcp/bench-node";
import { describe, expect, it } from "vitest";
import { TallySource } from "./tally-source.ts";

function sinkThatAnswers(isTaken: boolean): OfferSink {
  return { offer: async () => isTaken, wanted: () => true, gone: () => undefined };
}

describe("an offer of the tally source", () => {
  it("that the node passes over is an error, as nothing would ever settle it", async () => {
    const source = new TallySource();
    const over = new AbortController();
    const watching = source.watch(sinkThatAnswers(false), over.signal);
    await expect(source.offer()).rejects.toThrow("the node passed over 0x");
    over.abort();
    await watching;
  });

  it("that the node takes is settled once", async () => {
    const source = new TallySource();
    const over = new AbortController();
    const watching = source.watch(sinkThatAnswers(true), over.signal);
    const { settled } = await source.offer();
    const task = { id: `0x${"1".padStart(64, "0")}` } as Parameters<TallySource["complete"]>[0];
    await source.complete(task, "0x07");
    await settled;
    await expect(source.complete(task, "0x07")).rejects.toThrow("was settled twice");
    over.abort();
    await watching;
  });
});
