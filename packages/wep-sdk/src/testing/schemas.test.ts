import { type } from "arktype";
import * as v from "valibot";
import { describe, expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import { defineHandler, type InputFile, isInputFile, type StandardSchema } from "../index.ts";
import { runHandler } from "./index.ts";

const version = "1.0.0";
const GIVEN = { name: "to", times: 2, box: { size: [1, 2] } };

const zodHandler = defineHandler({
  kind: "zod",
  version,
  input: z.object({
    name: z.string().min(1),
    times: z.number().int().max(9).default(1),
    box: z.object({ size: z.array(z.number()) }),
  }),
  output: z.object({ text: z.string(), size: z.number().transform((size) => size + 1) }),
  run(input) {
    expectTypeOf(input).toEqualTypeOf<{ name: string; times: number; box: { size: number[] } }>();
    return { text: input.name.repeat(input.times), size: input.box.size.length };
  },
});

const valibotHandler = defineHandler({
  kind: "valibot",
  version,
  input: v.object({
    name: v.pipe(v.string(), v.minLength(1)),
    times: v.optional(v.pipe(v.number(), v.integer(), v.maxValue(9)), 1),
    box: v.object({ size: v.array(v.number()) }),
  }),
  run(input) {
    expectTypeOf(input).toEqualTypeOf<{ name: string; times: number; box: { size: number[] } }>();
    return { text: input.name.repeat(input.times), size: input.box.size.length + 1 };
  },
});

const arktypeHandler = defineHandler({
  kind: "arktype",
  version,
  input: type({ name: "string > 0", times: "1 <= number.integer <= 9 = 1", box: { size: "number[]" } }),
  run(input) {
    expectTypeOf(input).toEqualTypeOf<{ name: string; times: number; box: { size: number[] } }>();
    return { text: input.name.repeat(input.times), size: input.box.size.length + 1 };
  },
});

const LIBRARIES = { zod: zodHandler, valibot: valibotHandler, arktype: arktypeHandler };

describe.each(Object.entries(LIBRARIES))("a handler with a schema of %s", (_, handler) => {
  const runWith = (inputs: object) => runHandler(handler as typeof zodHandler, { inputs: inputs as never });

  it("is given what the schema makes of its input", async () => {
    expect((await runWith(GIVEN)).outputs).toEqual({ text: "toto", size: 3 });
    const { times: _, ...fewer } = GIVEN;
    expect((await runWith(fewer)).outputs.text).toBe("to");
  });

  it.each([
    [{ ...GIVEN, name: 7 }, 1001, /input "name": .*string.*\(got 7\)/i],
    [{ ...GIVEN, times: 10 }, 1001, /input "times": .*9.*\(got 10\)/],
    [{ ...GIVEN, box: { size: [1, "two"] } }, 1001, /input "box\.size\[1\]": .*\(got "two"\)/],
    [{ times: 2, box: { size: [] } }, 1002, /\[MISSING_REQUIRED_FIELD\] input "name": .*\(got nothing\)/],
    [{ name: "to", times: "x".repeat(500), box: 1 }, 1001, /\(got "x{40}\.\.\."\)/],
  ])("refuses %o before it runs, and names the field", async (inputs, code, message) => {
    const { error } = await runWith(inputs);
    expect(error).toMatchObject({ code, retryable: false });
    expect(error?.message).toMatch(message);
    expect(error?.message.length).toBeLessThan(600);
  });
});

describe("a handler with a schema", () => {
  it("has its output checked and made by one, too", async () => {
    const returning = (outputs: unknown) =>
      defineHandler({
        kind: "out",
        version,
        input: z.object({}),
        output: z.object({ words: z.number() }),
        run: () => outputs as { words: number },
      });
    const run = await runHandler(returning({ words: 3, more: 1 }), { inputs: {} });
    expect(run.outputs).toEqual({ words: 3 });
    const { error } = await runHandler(returning({ words: "three" }), { inputs: {} });
    expect(error).toMatchObject({
      code: 1003,
      message: expect.stringMatching(/output "words": .*got "three"/),
    });
  });

  it("may have an asynchronous one, and objects in storage among its input", async () => {
    const known = defineHandler({
      kind: "known",
      version,
      input: z.object({
        file: z.custom<InputFile>(isInputFile),
        user: z.string().refine((user) => Promise.resolve(user === "ada"), "nobody knows them"),
      }),
      run: async ({ file }) => ({ size: (await file.bytes()).byteLength }),
    });
    const files = { file: "12345" };
    expect((await runHandler(known, { inputs: { user: "ada" }, files })).outputs).toEqual({ size: 5 });
    const { error } = await runHandler(known, { inputs: { user: "eve" }, files });
    expect(error?.message).toBe('[INVALID_INPUT] input "user": nobody knows them (got "eve")');
  });

  it("has no more than a few problems listed", async () => {
    const schema: StandardSchema<object> = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: () => ({
          issues: Array.from({ length: 20 }, (_, index) => ({
            message: "bad",
            path: [{ key: `f${index}` }],
          })),
        }),
      },
    };
    const many = defineHandler({ kind: "many", version, input: schema, run: () => ({}) });
    const { error } = await runHandler(many, { inputs: {} });
    expect(error?.message).toMatch(/input "f4": bad \(got nothing\); and 15 more$/);
  });

  it("is refused when that is no schema", () => {
    expect(() => defineHandler({ kind: "a", version, input: {} as never, run: () => ({}) })).toThrow(
      /handler a 1.0.0: input is no Standard Schema/,
    );
  });
});
