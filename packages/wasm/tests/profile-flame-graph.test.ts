import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { renderFlameGraph, topFunctions } from "../src/profile/flame-graph.ts";

const STACKS = "main 10\nmain;parse 30\nmain;parse;read 40\nmain;write 20\n";

interface Drawn {
  readonly title: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly text: string;
}

function framesOf(svg: string): readonly Drawn[] {
  const frame =
    /<g class="f"[^>]*><title>([^<]*)<\/title><rect x="([\d.]+)" y="(\d+)" width="([\d.]+)"[^>]*><text[^>]*>([^<]*)</g;
  return [...svg.matchAll(frame)].map(([, title = "", x, y, width, text = ""]) => ({
    title,
    x: Number(x),
    y: Number(y),
    width: Number(width),
    text,
  }));
}

describe("a flame graph", () => {
  it("has callers above callees, each as wide as its fuel", () => {
    const frames = framesOf(renderFlameGraph(STACKS));
    const byName = new Map(frames.map((frame) => [frame.title.split(":")[0], frame]));
    const [all, main, parse, read, write] = ["all", "main", "parse", "read", "write"].map((name) =>
      byName.get(name)!,
    );
    expect(frames).toHaveLength(5);
    expect(all).toMatchObject({ x: 10, width: 1180, title: "all: 100 fuel, 100.00 %, 0 itself" });
    expect(main).toMatchObject({ x: 10, width: 1180, title: "main: 100 fuel, 100.00 %, 10 itself" });
    expect(parse).toMatchObject({ x: 10, width: 826, title: "parse: 70 fuel, 70.00 %, 30 itself" });
    expect(read).toMatchObject({ x: 10, width: 472, title: "read: 40 fuel, 40.00 %" });
    expect(write).toMatchObject({ x: 836, width: 236, title: "write: 20 fuel, 20.00 %", y: parse!.y });
    expect([all!.y, main!.y, parse!.y, read!.y]).toEqual([56, 74, 92, 110]);
  });

  it("shows what nobody could see not at all, and cuts names that do not fit", () => {
    const svg = renderFlameGraph(
      "a_function_with_a_very_long_name_that_does_not_fit;x 1\nother 99\ntiny 0.01\n",
    );
    const frames = framesOf(svg);
    expect(frames.map(({ title }) => title.split(":")[0])).not.toContain("tiny");
    expect(frames.find(({ title }) => title.startsWith("a_function"))?.text).toBe("");
    const half = framesOf(renderFlameGraph(`${"n".repeat(100)} 1\nother 1\n`));
    expect(half.find(({ title }) => title.startsWith("nnn"))?.text).toMatch(/^n{80,90}\.\.$/);
  });

  it("holds nothing that a name has put into it", () => {
    const name = `</title><script>alert("x")</script><g onload='y'>&]]>\u0007\ud800\uffff`;
    const svg = renderFlameGraph(`${name} 100\n`);
    expect(svg.match(/<script/g)).toHaveLength(1);
    expect(svg).not.toContain("onload='");
    expect(svg).not.toContain('alert("');
    expect(svg).not.toMatch(/[^\n\P{Cc}]/u);
    expect(svg.isWellFormed()).toBe(true);
    expect(framesOf(svg)[1]?.title).toContain("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;");
  });

  it("is there for a run without fuel, and passes over lines that are none", () => {
    expect(renderFlameGraph("")).toContain("No fuel was burned.");
    expect(framesOf(renderFlameGraph("nonsense\n 5\nf many\nf -3\nf 7\n")).map(({ title }) => title)).toEqual(
      ["all: 7 fuel, 100.00 %, 0 itself", "f: 7 fuel, 100.00 %"],
    );
  });

  it("draws a path that is very deep", () => {
    const deep = Array.from({ length: 3_000 }, (_, at) => `f${at}`).join(";");
    expect(framesOf(renderFlameGraph(`${deep} 1\n`))).toHaveLength(3_001);
  });
});

/** What the script of a flame graph has of a document: its frames, and what it sets on them. */
function openDrawn(svg: string) {
  const frames = [
    ...svg.matchAll(/data-l="([^"]+)" data-w="([^"]+)" data-d="([^"]+)">.*?data-n="([^"]*)">/g),
  ].map(([, l, w, d, n = ""]) => {
    const set: Record<string, unknown> = {};
    const part = {
      setAttribute: (name: string, value: unknown) => (set[name] = value),
      dataset: { n },
      textContent: "",
    };
    const clicks: (() => void)[] = [];
    const addEventListener = (_type: string, listener: () => void) => clicks.push(listener);
    const group = {
      dataset: { l, w, d },
      style: { display: "" },
      querySelector: () => part,
      addEventListener,
    };
    return { name: n, set, part, group, click: () => clicks.forEach((listener) => listener()) };
  });
  const script = /<script><!\[CDATA\[(.*?)\]\]><\/script>/s.exec(svg)?.[1] ?? "throw new Error('no script')";
  runInNewContext(script, { document: { querySelectorAll: () => frames.map(({ group }) => group) } });
  return new Map(frames.map((frame) => [frame.name, frame]));
}

describe("a click on a frame", () => {
  // A frame here is rectangle and text at once, and the text, 4 further right, is set last.
  it("gives it and its callers the whole width, its callees their part of it, and hides the others", () => {
    const frames = openDrawn(renderFlameGraph(STACKS));
    frames.get("parse")!.click();
    const shown = (name: string) => {
      const { group, set, part } = frames.get(name)!;
      return group.style.display === "none"
        ? "hidden"
        : [Number(set["x"]) - 4, Math.round(Number(set["width"])), part.textContent];
    };
    expect(["all", "main", "parse", "read", "write"].map(shown)).toEqual([
      [10, 1_180, "all"],
      [10, 1_180, "main"],
      [10, 1_180, "parse"],
      [10, Math.round((1_180 * 4) / 7), "read"],
      "hidden",
    ]);
    frames.get("all")!.click();
    expect(["main", "write"].map(shown)).toEqual([
      [10, 1_180, "main"],
      [836, 236, "write"],
    ]);
  });
});

describe("the functions that burned most", () => {
  it("are counted over all their paths, without what they called", () => {
    expect(topFunctions(`${STACKS}main;write;read 100\n`, 2)).toEqual([
      { name: "read", fuel: 140, share: 0.7 },
      { name: "parse", fuel: 30, share: 0.15 },
    ]);
    expect(topFunctions("", 3)).toEqual([]);
  });
});
