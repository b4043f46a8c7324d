import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { forbidCodeOfText } from "./no-code-of-text.ts";

it("no object of the realm leads to code made of text", () => {
  const realm = runInNewContext(`({
    kinds: [() => 1, async () => 1, function* () {}, async function* () {}],
    attempt: (object) => {
      const made = object.constructor.constructor("return 'GOT IT'");
      return typeof made === "function" ? "code" : "no code";
    },
    object: { method() {} },
  })`) as {
    readonly kinds: readonly object[];
    readonly attempt: (object: object) => string;
    readonly object: object;
  };
  const attempts = () => [realm.object, ...realm.kinds].map((object) => realm.attempt(object));
  expect(new Set(attempts())).toContain("code");
  forbidCodeOfText(realm.kinds);
  expect(new Set(attempts())).toEqual(new Set(["no code"]));
});
