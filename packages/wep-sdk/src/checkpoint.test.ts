import { createLogger } from "@subnet-worker/kit";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { Checkpoints } from "./checkpoint.ts";
import { RetryableError } from "./errors.ts";
import { createInputFile } from "./input-file.ts";

const log = createLogger({ name: "wep", level: "silent" });

/** Storage that is a map, and the last reference that was reported. */
function place(options: { readonly isDown?: boolean } = {}) {
  const objects = new Map<string, string>();
  const refs: string[] = [];
  const attempt = (ref?: string) =>
    new Checkpoints({
      ref,
      log,
      report: (reported) => {
        refs.push(reported);
        return Promise.resolve();
      },
      upload: (name, body) => {
        objects.set(`runs/${name}`, body);
        return Promise.resolve({ objectKey: `runs/${name}`, sizeBytes: body.length, sha256: "" });
      },
      download: (objectKey) =>
        createInputFile({
          name: "",
          mediaType: "",
          objectKey,
          url: "",
          stream: () => new ReadableStream(),
          bytes: () =>
            options.isDown === true
              ? Promise.reject(new RetryableError("storage is away"))
              : Promise.resolve(new TextEncoder().encode(objects.get(objectKey))),
          saveTo: () => Promise.resolve({ sizeBytes: 0 }),
        }),
    });
  return { attempt, refs, objects };
}

it("gives the next attempt whatever was saved last, of any size", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.jsonValue(), { minLength: 1, maxLength: 5 }),
      fc.boolean(),
      async (values, isLarge) => {
        const { attempt, refs, objects } = place();
        const saving = attempt();
        const padded = values.map((value) => [value, isLarge ? "x".repeat(1_024) : ""]);
        // Not awaited one by one: the last one called is the one that stays.
        await Promise.all(padded.map((value) => saving.save(value)));
        expect(refs).toHaveLength(values.length);
        expect(objects.size).toBeLessThanOrEqual(2);
        for (const ref of refs) expect(ref.length).toBeLessThanOrEqual(1_024 + "json:".length);
        const expected: unknown = JSON.parse(JSON.stringify(padded.at(-1)));
        expect(await attempt(refs.at(-1)).load()).toEqual(expected);
      },
    ),
  );
});

it("does not begin anew while storage is only away", async () => {
  const { attempt } = place({ isDown: true });
  await expect(attempt("json@runs/checkpoint-1.json").load()).rejects.toThrow("storage is away");
});

it("finds nothing where nothing was saved", async () => {
  expect(await place().attempt().load()).toBeUndefined();
});
