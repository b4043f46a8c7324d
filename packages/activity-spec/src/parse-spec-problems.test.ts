import { describe, expect, test } from "vitest";
import { activityWith, inputWith, parse, problemsOf } from "../tests/_specs.ts";

describe("a problem names its line, its field and what to do", () => {
  // The file, where the problem is, a part of what is wrong, a part of the remedy.
  test.each<[text: string, place: string, message: string, remedy: string]>([
    ["", "1 ", "the file is empty or not a mapping", "start with `name:`"],
    ["- a\n- b", "1 ", "not a mapping", "start with"],
    ["a: [\nb", "2 ", "Flow sequence", "correct the YAML"],
    [
      `${activityWith()}
version: b/1.0.0`,
      "5 version",
      "the key occurs twice",
      "keep one",
    ],
    ["a: 1\n---\nb: 1", "2 ", "a second document starts here", "keep one"],
    [`${activityWith()}\nname: *nothing`, "5 ", "*nothing stands for nothing", "&nothing"],
    [inputWith("name: a", "type: []string"), "7 ", "Unexpected scalar", 'in quotes, like "[]string"'],
    [`verion: x\n${activityWith()}`, "1 verion", "there is no such key", "did you mean version?"],
    [
      activityWith("frobnicate: 1"),
      "5 activities[0].frobnicate",
      "no such key",
      "the keys here are id, name,",
    ],
    [activityWith("numworkers: 1"), "5 activities[0].numworkers", "no such key", "did you mean num_workers?"],
    [
      activityWith("artifact: {upload: true}"),
      "5 activities[0].artifact.upload",
      "no such key",
      "upload_to_storage",
    ],
    [
      activityWith("artifact: true"),
      "5 activities[0].artifact",
      "expected a mapping, found the boolean true",
      "upload_to_storage",
    ],
    [activityWith("? [a]", ": 1"), "5 activities[0].(not text)", "no such key", "remove it"],
    [
      "version: 1.0\nactivities: [{id: a, worker: w}]",
      "1 version",
      "found the number 1",
      "like video/1.1.0, in quotes",
    ],
    [
      "version: video\nactivities: [{id: a, worker: w}]",
      "1 version",
      '"video" will not do',
      "like video/1.1.0",
    ],
    [
      "version: a/1.0\nactivities: [{id: a, worker: w}]",
      "1 version",
      '"a/1.0" will not do',
      "semantic version",
    ],
    ["version: a/b/1.0.0\nactivities: [{id: a, worker: w}]", "1 version", "will not do", "like video/1.1.0"],
    ["activities:\n  - {id: a, worker: w}", "1 version", "missing or empty", "like video/1.1.0"],
    ["version: a/1.0.0", "1 activities", "there are none", "at least one"],
    ["version: a/1.0.0\nactivities: 5", "2 activities", "expected a list, found the number 5", "- "],
    [
      "version: a/1.0.0\nactivities:\n  - x",
      "3 activities[0]",
      'expected a mapping, found "x"',
      "its keys are id",
    ],
    ["version: a/1.0.0\nactivities:\n  - id: a", "3 activities[0].worker", "missing", "like processing"],
    [
      "version: a/1.0.0\nactivities:\n  - worker: w\n    id:",
      "3 activities[0].id",
      "missing or empty",
      "like audio_preprocess",
    ],
    [
      "version: a/1.0.0\nactivities:\n  - id: a b\n    worker: w",
      "3 activities[0].id",
      '"a b" will not do',
      "letters",
    ],
    [
      "version: a/1.0.0\nactivities:\n  - id: a\n    worker: w/x",
      "4 activities[0].worker",
      "will not do",
      "letters",
    ],
    [`${activityWith()}\n  - id: step\n    worker: v`, "5 activities[1].id", "step is used twice", "its own"],
    [activityWith("quorum: 0"), "5 activities[0].quorum", "found the number 0", "at least 1"],
    [activityWith("num_workers: 1.5"), "5 activities[0].num_workers", "found the number 1.5", "at least 1"],
    [activityWith("num_workers: '2'"), "5 activities[0].num_workers", 'found "2"', "a number"],
    [
      activityWith("num_workers: 2", "quorum: 3"),
      "6 activities[0].quorum",
      "3 of 2 can never agree",
      "at most",
    ],
    [activityWith("require_gpu: yes"), "5 activities[0].require_gpu", 'found "yes"', "true or false"],
    [
      activityWith("description: [a]"),
      "5 activities[0].description",
      "expected text, found a list",
      "write text",
    ],
    [
      activityWith("input_params: {name: a}"),
      "5 activities[0].input_params",
      "expected a list, found a mapping",
      "- ",
    ],
    [inputWith("name: a"), "6 activities[0].input_params[0].type", "missing", "ABI type"],
    [inputWith("type: bool"), "6 activities[0].input_params[0].name", "missing", "letters"],
    [inputWith("name: a-b", "type: bool"), "6 activities[0].input_params[0].name", "will not do", "letters"],
    [
      inputWith("name: a", "type: strng"),
      "7 activities[0].input_params[0].type",
      'did you mean "string"?',
      "ABI type",
    ],
    [
      inputWith("name: a", "type: bool", "media_type: wav"),
      "8 activities[0].input_params[0].media_type",
      '"wav" will not do',
      "audio/wav",
    ],
    [
      inputWith("name: a", "type: bool", "object_key: true"),
      "8 activities[0].input_params[0].object_key",
      "a bool cannot be",
      "type: string",
    ],
    [
      activityWith("output_params:", "- {name: a, type: bool}", "- {name: a, type: bool}"),
      "7 activities[0].output_params[1].name",
      "a is used twice",
      "its own",
    ],
  ])("%j: %s: %s", (...[text, place, message, remedy]) => {
    const [problem, ...others] = problemsOf(text);
    expect(others).toEqual([]);
    expect(`${problem?.line} ${problem?.field}`).toBe(place);
    expect(problem?.message).toContain(message);
    expect(problem?.remedy).toContain(remedy);
  });

  test("and all problems come at once, in the order of their lines", () => {
    const text = ["version: 1.0", "activites: []", "activities:", "  - idd: x", "    quorum: 3"].join("\n");
    expect(() => parse(text)).toThrow(
      [
        "[BAD_SPEC] 6 problems in specs/a.yaml:",
        "  - specs/a.yaml:1: version: expected text, found the number 1; write the workflow's name and semantic version, like video/1.1.0, in quotes",
        "  - specs/a.yaml:2: activites: there is no such key; did you mean activities?",
        "  - specs/a.yaml:4: activities[0].idd: there is no such key; did you mean id?",
        '  - specs/a.yaml:4: activities[0].id: it is missing or empty; write letters, digits, ".", "_" and "-", like audio_preprocess',
        '  - specs/a.yaml:4: activities[0].worker: it is missing or empty; write letters, digits, ".", "_" and "-", like processing',
        "  - specs/a.yaml:5: activities[0].quorum: 3 of 1 can never agree; write a quorum of at most num_workers",
      ].join("\n"),
    );
  });
});
