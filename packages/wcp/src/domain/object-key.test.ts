import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ObjectKeyError, uploadKey, uploadPrefix } from "./object-key.ts";

const PREFIX = uploadPrefix(`0x${"a".repeat(64)}`, `0x${"b".repeat(64)}`, "run-1");

const HOSTILE = {
  "no name": "",
  "the folder itself": ".",
  "the parent": "..",
  "the parent's sibling": "../other-run/result.json",
  "a climb in the middle": "images/../../other/result.json",
  "a climb at the end": "images/..",
  "an absolute path": "/etc/passwd",
  "an absolute path with two slashes": "//bucket/key",
  "a trailing slash": "images/",
  "an empty segment": "images//a.png",
  "an encoded climb": "%2e%2e%2fother",
  "a doubly encoded climb": "%252e%252e%252fother",
  "an encoded NUL": "a%00b",
  "a backslash climb": "..\\other",
  "a Windows drive": "C:\\Windows",
  "a NUL": "a\0b",
  "a line break": "a\nb",
  "a line break at the end": "a.png\n",
  "a tab": "a\tb",
  "a space": "my file.png",
  "a query": "a.png?versionId=1",
  "a fragment": "a.png#frag",
  "a wildcard": "*.png",
  "a brace expansion": "{a,b}.png",
  "a tilde": "~/a",
  "a hidden file": ".git/config",
  "a leading dot in a segment": "images/.htaccess",
  "three dots": ".../a",
  "a full-width dot": "．．/other",
  "a full-width slash": "images／a.png",
  "a division slash": "images∕a.png",
  "a two dot leader": "‥/other",
  "an overlong dot": "\u00c0\u00ae\u00c0\u00ae/other",
  "a letter outside ASCII": "bücher.png",
  "a combining accent": "a\u0301.png",
  "a right-to-left mark": "a\u202egnp.exe",
  "a zero-width space": "a\u200b.png",
  "a lone surrogate": "a\ud800.png",
  "an emoji": "🎵.wav",
  "a URL": "http://evil.example/a",
  "a name that is too long": "a".repeat(513),
};

const name = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string({
    unit: fc.constantFrom("a", "Z", "9", ".", "_", "-", "/", "\\", "%", "2", "e", "f", "\0", "\n"),
    maxLength: 24,
  }),
  fc
    .array(fc.constantFrom("..", ".", "a", "b.png", "", "%2e%2e", "~"), { maxLength: 5 })
    .map((parts) => parts.join("/")),
);

function accepted(text: string): string | undefined {
  try {
    return uploadKey(PREFIX, text);
  } catch (error) {
    expect(error).toBeInstanceOf(ObjectKeyError);
    return undefined;
  }
}

describe("an upload key", () => {
  it("is the prefix and the name", () => {
    expect(uploadKey("runs/w/t/r/", "images/waveform.png")).toBe("runs/w/t/r/images/waveform.png");
    expect(uploadKey("runs/w/t/r/", "A-1_b.tar.gz")).toBe("runs/w/t/r/A-1_b.tar.gz");
    expect(uploadKey("runs/w/t/r/", "a".repeat(512))).toHaveLength(11 + 512);
  });

  it.each(Object.entries(HOSTILE))("is refused for %s", (_what, text) => {
    expect(() => uploadKey(PREFIX, text)).toThrow(ObjectKeyError);
    expect(() => uploadKey(PREFIX, text)).toThrow(/^\[OBJECT_KEY_REFUSED\] /);
  });

  it("never leaves its prefix, however a store or a proxy reads it", () => {
    let taken = 0;
    fc.assert(
      fc.property(name, (text) => {
        const key = accepted(text);
        if (key === undefined) return;
        taken += 1;
        expect(key.startsWith(PREFIX)).toBe(true);
        expect(key.length).toBeGreaterThan(PREFIX.length);
        expect(key.split("/").some((segment) => ["", ".", ".."].includes(segment))).toBe(false);
        expect(decodeURIComponent(key)).toBe(key);
        expect(new URL(`http://store/${key}`).pathname).toBe(`/${key}`);
        expect(key.normalize("NFKC")).toBe(key);
      }),
      { numRuns: 5_000 },
    );
    expect(taken).toBeGreaterThan(50);
  });

  it("says what a name may look like", () => {
    expect(() => uploadKey(PREFIX, "../x")).toThrow('"../x" is not an object name; use letters, digits');
    expect(() => uploadKey(PREFIX, "")).toThrow("1 to 512 characters, this one 0");
  });
});

describe("an upload prefix", () => {
  it("is the run's own and ends in a slash", () => {
    expect(uploadPrefix("0xabc", "0xdef", "run-1")).toBe("runs/abc/def/run-1/");
    expect(uploadPrefix("", "0xdef", "run-1")).toBe("runs/none/def/run-1/");
  });

  it("differs between runs of one task", () => {
    expect(uploadPrefix("0xabc", "0xdef", "run-1")).not.toBe(uploadPrefix("0xabc", "0xdef", "run-2"));
  });
});
