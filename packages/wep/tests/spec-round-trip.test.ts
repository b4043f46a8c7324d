import { decodeParams, encodeParams, formatAbiType, parseSpec } from "@subnet-worker/activity-spec";
import { defineActivity, defineHandler } from "@subnet-worker/wep-sdk";
import { runHandler } from "@subnet-worker/wep-sdk/testing";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { sampleCases, sampleSeed } from "../../activity-spec/tests/_arbitraries.ts";

const PARAMS_PER_RUN = 3;

test("what the chain gave goes through a run of the SDK and back to the chain unchanged", async () => {
  const seed = sampleSeed();
  const cases = sampleCases(600, seed);
  for (let at = 0; at < cases.length; at += PARAMS_PER_RUN) {
    const params = cases.slice(at, at + PARAMS_PER_RUN).map(({ type, value }, index) => ({
      name: `p${index}`,
      type: formatAbiType(type),
      value,
    }));
    const list = params.map(({ name, type }) => ({ name, type }));
    const file = { task_kind: "echo", task_version: "1.0.0", inputs: list, outputs: list };
    const [spec] = parseSpec(stringify(file), { fileName: "echo.yaml" }).activities;
    if (spec === undefined) throw new Error("the spec has no activity");
    const seen: unknown[] = [];
    const echo = defineHandler(defineActivity<Record<string, unknown>, Record<string, unknown>>(spec), {
      run(inputs) {
        seen.push(inputs);
        return inputs;
      },
    });
    const onChain = encodeParams(
      spec.inputs,
      Object.fromEntries(params.map(({ name, value }) => [name, value])),
    );

    const run = await runHandler(echo, { inputs: decodeParams(spec.inputs, onChain) });
    expect(run.error, `FC_SEED=${seed} replays it`).toBeUndefined();
    expect(seen).toEqual([Object.fromEntries(params.map(({ name, value }) => [name, value]))]);
    expect(encodeParams(spec.outputs, run.outputs)).toBe(onChain);
  }
});
