import { describe, expect, test } from "vitest";
import { activityWith, inputWith, parse, problemsOf } from "../tests/_specs.ts";

/** As the facts describe a deployed workflow file. */
const DEPLOYED = `
name: Video processing
version: video/1.1.0
description: Processes uploaded videos
activities:
  - id: video_preprocess
    name: Video preprocess
    description: Transcode
    worker: processing
    num_workers: 1
    quorum: 1
    skip_on_prev_success: false
    require_gpu: true
    input_params:
      - name: video_file_path
        type: string
        description: Where the upload is
      - name: tags
        type: "[]string"
        description: Free text
    output_params:
      - name: processed_object_key
        type: string
        description: The result
      - name: checks
        type: (bool,bool,string,string)
        description: What was found
    artifact:
      upload_to_storage: true
  - id: video_registration
    name: Registration
    description: Registers the result
    worker: ip_registration
    num_workers: 3
    quorum: 2
    skip_on_prev_success: true
    require_gpu: false
    input_params: []
    output_params:
      - name: ok
        type: bool
        description: Done
`;

describe("a workflow file", () => {
  test("as deployed loads as it is", () => {
    expect(parse(DEPLOYED)).toEqual({
      workflow: "video/1.1.0",
      name: "Video processing",
      version: "1.1.0",
      description: "Processes uploaded videos",
      activities: [
        {
          id: "video_preprocess",
          name: "Video preprocess",
          description: "Transcode",
          kind: "video_preprocess",
          version: "1.1.0",
          workerClass: "processing",
          queue: "video/1.1.0/processing",
          inputs: [
            {
              name: "video_file_path",
              type: "string",
              description: "Where the upload is",
              isObjectKey: true,
            },
            { name: "tags", type: "string[]", description: "Free text", isObjectKey: false },
          ],
          outputs: [
            { name: "processed_object_key", type: "string", description: "The result", isObjectKey: true },
            {
              name: "checks",
              type: "(bool,bool,string,string)",
              description: "What was found",
              isObjectKey: false,
            },
          ],
          numWorkers: 1,
          quorum: 1,
          skipOnPrevSuccess: false,
          requireGpu: true,
          uploadToStorage: true,
          resourceClass: "gpu",
          limits: {},
          retry: {},
          result: "auto",
        },
        {
          id: "video_registration",
          name: "Registration",
          description: "Registers the result",
          kind: "video_registration",
          version: "1.1.0",
          workerClass: "ip_registration",
          queue: "video/1.1.0/ip_registration",
          inputs: [],
          outputs: [{ name: "ok", type: "bool", description: "Done", isObjectKey: false }],
          numWorkers: 3,
          quorum: 2,
          skipOnPrevSuccess: true,
          requireGpu: false,
          uploadToStorage: false,
          resourceClass: "cpu",
          limits: {},
          retry: {},
          result: "auto",
        },
      ],
    });
  });

  test("needs little: the rest has defaults", () => {
    expect(parse(activityWith("kind: a.step"))).toMatchObject({
      workflow: "a/1.0.0",
      name: "a",
      description: "",
      activities: [
        { id: "step", name: "step", kind: "a.step", inputs: [], outputs: [], numWorkers: 1, quorum: 1 },
      ],
    });
  });

  test("is frozen through and through", () => {
    const spec = parse(DEPLOYED);
    expect(() => Object.assign(spec.activities[0]?.inputs[0] ?? {}, { name: "other" })).toThrow(TypeError);
    expect(() => (spec.activities as unknown[]).push(1)).toThrow(TypeError);
  });

  test("may repeat a list with an anchor and an alias", () => {
    const spec = parse(activityWith("input_params: &p", "- {name: x, type: bool}", "output_params: *p"));
    expect(spec.activities[0]?.outputs).toEqual(spec.activities[0]?.inputs);
    expect(spec.activities[0]?.outputs).toHaveLength(1);
  });
});

describe("the single-activity form", () => {
  test("is a workflow of one activity on a queue of its own", () => {
    const text = [
      "task_kind: audio.preprocess",
      "task_version: 1.0.0",
      "inputs: [{name: audio_object_key, type: string, media_type: audio/wav}]",
      "outputs: [{name: gain, type: int32}]",
    ].join("\n");
    expect(parse(text)).toEqual({
      workflow: "audio.preprocess/1.0.0",
      name: "audio.preprocess",
      version: "1.0.0",
      description: "",
      activities: [
        {
          id: "audio.preprocess",
          name: "audio.preprocess",
          description: "",
          kind: "audio.preprocess",
          version: "1.0.0",
          workerClass: "default",
          queue: "audio.preprocess/1.0.0/default",
          inputs: [
            {
              name: "audio_object_key",
              type: "string",
              description: "",
              isObjectKey: true,
              mediaType: "audio/wav",
            },
          ],
          outputs: [{ name: "gain", type: "int32", description: "", isObjectKey: false }],
          numWorkers: 1,
          quorum: 1,
          skipOnPrevSuccess: false,
          requireGpu: false,
          uploadToStorage: false,
          resourceClass: "cpu",
          limits: {},
          retry: {},
          result: "auto",
        },
      ],
    });
  });

  test("does not mix with the workflow form", () => {
    expect(
      problemsOf("task_kind: a\ntask_version: 1.0.0\nactivities: []").map(({ line, field }) => [line, field]),
    ).toEqual([[3, "activities"]]);
  });
});

describe("an object key", () => {
  test.each([
    { lines: ["name: a_object_key", "type: string"], isObjectKey: true },
    { lines: ["name: a_file_path", "type: string"], isObjectKey: true },
    { lines: ["name: a_object_key", "type: bytes32"], isObjectKey: false },
    { lines: ["name: a_object_keys", "type: string"], isObjectKey: false },
    { lines: ["name: object_key", "type: string"], isObjectKey: false },
    { lines: ["name: a_object_key", "type: string", "object_key: false"], isObjectKey: false },
    { lines: ["name: a", "type: string", "object_key: true"], isObjectKey: true },
  ])("$lines: $isObjectKey", ({ lines, isObjectKey }) => {
    expect(parse(inputWith(...lines)).activities[0]?.inputs[0]?.isObjectKey).toBe(isObjectKey);
  });
});

describe("a file made to keep the parser busy is refused at once", () => {
  test("many aliases of many aliases", () => {
    const levels = Array.from(
      { length: 30 },
      (_, i) =>
        `a${i}: &a${i} [${Array(9)
          .fill(i === 0 ? "x" : `*a${i - 1}`)
          .join(", ")}]`,
    );
    expect(problemsOf(levels.join("\n"))[0]?.message).toContain("more than 100 aliases");
  });

  test("an alias within what it stands for", () => {
    expect(
      problemsOf("version: a/1.0.0\nactivities: &a\n  - {id: x, worker: w, input_params: *a}").length,
    ).toBeGreaterThan(0);
  });

  test("megabytes of text", () => {
    expect(problemsOf("- ".repeat(1_000_000))[0]?.message).toContain("more than 200000 characters");
  });

  test("deep nesting", () => {
    expect(problemsOf("[".repeat(50_000) + "]".repeat(50_000))[0]?.message).toContain("nested too deeply");
  });

  test("thousands of keys, of which the message shows fifty", () => {
    const text = Array.from({ length: 15_000 }, (_, i) => `k${i}: 1`).join("\n");
    expect(problemsOf(text)).toHaveLength(15_002);
    expect(() => parse(text)).toThrow(/k47: .*\n {2}- and 14952 more$/);
  });
});
