import { describe, expect, it } from "vitest";

import { judge, type Measurements } from "./verdict.ts";

function measured(changes: Partial<Measurements> = {}): Measurements {
  return { integratedLufs: -22.06, clippedShare: 0.0002, silenceShare: 0.216, snrDb: 30.95, ...changes };
}

describe("the verdict", () => {
  it("accepts a good recording and says what was measured", () => {
    expect(judge(measured())).toEqual({
      accepted: true,
      verdict: "Accepted: -22.1 LUFS, 0.02 % clipped, 22 % silence, 30.9 dB above the noise.",
    });
  });

  it.each<[Partial<Measurements>, string]>([
    [{ integratedLufs: -40 }, "too quiet at -40.0 LUFS, below -33"],
    [{ integratedLufs: Number.NEGATIVE_INFINITY }, "too quiet at no measurable loudness"],
    [{ integratedLufs: -3 }, "too loud at -3.0 LUFS, above -6"],
    [{ clippedShare: 0.05 }, "clipped on 5 % of the samples, more than 0.10 %; record with less gain"],
    [{ silenceShare: 0.9 }, "90 % is silence, more than 60 %; cut the pauses"],
    [{ snrDb: 8.21 }, "only 8.2 dB above the noise, less than 15 dB; record closer"],
  ])("rejects %j and says why", (changes, reason) => {
    const { accepted, verdict } = judge(measured(changes));
    expect(accepted).toBe(false);
    expect(verdict).toContain(`Rejected: ${reason}`);
  });

  it("lists every reason", () => {
    const { verdict } = judge(measured({ clippedShare: 0.05, snrDb: 3 }));
    expect(verdict).toMatch(/^Rejected: clipped .*; only 3\.0 dB above .*\.$/);
  });
});
