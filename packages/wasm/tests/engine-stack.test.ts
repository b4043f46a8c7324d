import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { DEEP_RECURSIONS } from "./_deep-recursions.ts";

const PROCESS = join(import.meta.dirname, "_deep-recursions-process.ts");

/** How each recursion ends when V8 compiles all with one of its compilers. */
async function endsOn(tier: "--liftoff-only" | "--no-liftoff"): Promise<Record<string, string>> {
  const args = [tier, "--conditions=@subnet-worker/source", PROCESS];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout) as Record<string, string>;
}

describe("the stack", () => {
  it("ends where the meter says, whichever compiler made the frames", { timeout: 240_000 }, async () => {
    const baseline = await endsOn("--liftoff-only");
    const optimized = await endsOn("--no-liftoff");
    expect(Object.keys(baseline)).toEqual(DEEP_RECURSIONS.map(({ name }) => name));
    for (const end of Object.values(baseline)) expect(end).toMatch(/^stack_exhausted after \d+$/);
    // Had V8's own stack ended first, it would have done so sooner.
    expect(optimized).toEqual(baseline);
  });
});
