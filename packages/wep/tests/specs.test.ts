import { join } from "node:path";
import { createLogger } from "@subnet-worker/kit";
import { describe, expect, it } from "vitest";
import { checkSpecs } from "../src/specs.ts";
import { folderWith } from "./_wep-process.ts";

const AUDIO = `name: audio
version: audio/1.0.0
activities:
  - { id: audio_preprocess, kind: audio.preprocess, worker: processing }
  - { id: audio_validate, kind: audio.validate, worker: validation }
`;

const preprocess = { kind: "audio.preprocess", version: "1.0.0", class: "cpu" } as const;
const validate = { kind: "audio.validate", version: "1.0.0", class: "cpu" } as const;

type Handlers = Parameters<typeof checkSpecs>[1];

interface Listed {
  readonly kind: string;
  readonly version?: string;
  readonly path?: string;
}

/** Checks specs of files in a folder; what was wrong, or what was logged. */
async function check(
  list: readonly Listed[],
  { handlers, isStrict = true }: { readonly handlers: Handlers; readonly isStrict?: boolean },
): Promise<string> {
  await using folder = await folderWith({ "audio.yaml": AUDIO, "broken.yaml": "name: x\nversion: 1\n" });
  let said = "";
  const log = createLogger({ name: "wep", destination: { write: (line) => void (said += line) } });
  const entries = list.map(({ kind, version = "1.0.0", path = "audio.yaml" }) => ({
    kind,
    version,
    path: join(folder.path, path),
  }));
  try {
    checkSpecs({ strict_specs: isStrict, list: entries }, handlers, log);
    return said;
  } catch (error) {
    expect(error).toMatchObject({ exitCode: 78 });
    return (error as Error).message;
  }
}

describe("specs of handlers", () => {
  it("are content when each handler has one and each has a handler", async () => {
    const list = [{ kind: "audio.preprocess" }, { kind: "audio.validate" }];
    expect(await check(list, { handlers: [preprocess, validate] })).toBe("");
  });

  it("refuse, when strict, a handler without a spec and a spec without a handler, both at once", async () => {
    const said = await check([{ kind: "audio.preprocess" }], { handlers: [validate] });
    expect(said).toContain("[BAD_CONFIG] 2 problems");
    expect(said).toContain(
      "handler audio.validate 1.0.0 has no spec; add its kind, version and path to specs.list",
    );
    expect(said).toContain("specs.list: audio.preprocess 1.0.0 has no handler; name its module");
  });

  it("only warn, when not strict, of a spec without a handler", async () => {
    const said = await check([{ kind: "audio.preprocess" }], { handlers: [validate], isStrict: false });
    expect(JSON.parse(said)).toMatchObject({
      level: "warn",
      msg: expect.stringContaining("audio.preprocess 1.0.0 has no handler"),
    });
  });

  it.each([
    [
      "is not there",
      { kind: "audio.preprocess", path: "none.yaml" },
      /none\.yaml cannot be read: ENOENT.*; paths/,
    ],
    [
      "is no spec",
      { kind: "audio.preprocess", path: "broken.yaml" },
      /\[BAD_SPEC\] \d+ problems? in .*broken\.yaml/,
    ],
    [
      "has no such activity",
      { kind: "audio.preprocess", version: "2.0.0" },
      /has no audio\.preprocess 2\.0\.0, only audio\.preprocess 1\.0\.0, audio\.validate 1\.0\.0; correct/,
    ],
  ])("refuse a file that %s, strict or not", async (_, spec, message) => {
    const { version = "1.0.0" }: Listed = spec;
    const handlers = [{ ...preprocess, version }];
    for (const isStrict of [true, false]) {
      expect(await check([spec], { handlers, isStrict })).toMatch(message);
    }
  });
});
