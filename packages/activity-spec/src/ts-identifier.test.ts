import * as fc from "fast-check";
import { expect, test } from "vitest";
import { check } from "../tests/_arbitraries.ts";
import { activityNames } from "./ts-identifier.ts";

test.each([
  ["audio_preprocess", "audioPreprocess", "AudioPreprocessInput"],
  ["audio.preprocess", "audioPreprocess", "AudioPreprocessInput"],
  ["Video-IP.registration_", "videoIPRegistration", "VideoIPRegistrationInput"],
  ["3d_render", "activity3dRender", "Activity3dRenderInput"],
  ["delete", "deleteActivity", "DeleteActivityInput"],
  ["object", "objectActivity", "ObjectActivityInput"],
  ["define_activity", "defineActivityActivity", "DefineActivityActivityInput"],
])("%s is %s, and its input %s", (id, value, input) => {
  expect(activityNames([id])[0]).toMatchObject({ value, input });
});

test("ids that come to the same name get a number after it, in their order", () => {
  expect(activityNames(["a_b", "a.b", "aB", "a_b_activity"]).map(({ value }) => value)).toEqual([
    "aB",
    "aBActivity",
    "aBActivity2",
    "aBActivityActivity",
  ]);
});

test("any ids give names that are identifiers and all different", () => {
  const id = fc.oneof(
    fc.stringMatching(/^[A-Za-z0-9][\w.-]{0,4}$/),
    fc.constantFrom("delete", "delete_activity", "object", "x", "x_input", "X", "input", "a", "A", "a-"),
  );
  check(fc.uniqueArray(id, { maxLength: 12 }), 2_000, (ids) => {
    const names = activityNames(ids).flatMap(({ value, input, output }) => [value, input, output]);
    for (const name of names) expect(name).toMatch(/^[A-Za-z][A-Za-z0-9]*$/);
    expect(new Set(names).size).toBe(ids.length * 3);
    expect(names).not.toContain("delete");
    expect(names).not.toContain("ObjectOutput");
  });
});
