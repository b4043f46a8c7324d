import { FLAME_SCRIPT } from "./flame-script.ts";

const WIDTH = 1200;
const ROW = 18;
const MARGIN = 10;
const HEADER = 56;
/** Frames narrower than this, as a share of all fuel, are not drawn: nobody could see them. */
const NARROWEST = 0.25 / WIDTH;
/** Of the font, monospace at 11 pixels. */
const CHARACTER = 6.7;

/**
 * Draws folded stacks, as a `RunProfile` has them, as a flame graph: callers above, callees below, as wide as their
 * fuel. One SVG that needs nothing else; opened by itself, a click on a frame shows it in full width.
 *
 * @param foldedStacks lines of names by `;`, a space, and the fuel of the last itself; other lines are left out
 */
export function renderFlameGraph(foldedStacks: string): string {
  const root = parseStacks(foldedStacks);
  const frames = layOut(root);
  const rows = Math.max(1, ...frames.map(({ depth }) => depth + 1));
  const height = HEADER + rows * ROW + MARGIN;
  const note =
    root.total === 0
      ? "No fuel was burned."
      : `${grouped(root.total)} fuel. A click shows one frame in full.`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="ui-monospace, Menlo, Consolas, monospace" font-size="11">
<style>g.f{cursor:pointer}g.f:hover rect{stroke:#222;stroke-width:1}text{pointer-events:none}</style>
<rect width="100%" height="100%" fill="#fffdf8"/>
<text x="${MARGIN}" y="24" font-size="16" font-weight="bold">Fuel by function</text>
<text x="${MARGIN}" y="42" fill="#555">${note}</text>
${frames.map((frame) => drawFrame(frame, root.total)).join("\n")}
<script><![CDATA[${FLAME_SCRIPT}]]></script>
</svg>
`;
}

/** What one function burned, over all paths. */
export interface FunctionFuel {
  readonly name: string;
  /** Itself, without what it called. */
  readonly fuel: number;
  /** Of all, 0 to 1. */
  readonly share: number;
}

/** The functions that burned most themselves, most first. */
export function topFunctions(foldedStacks: string, count: number): readonly FunctionFuel[] {
  const byName = new Map<string, number>();
  let total = 0;
  for (const { names, fuel } of readLines(foldedStacks)) {
    const name = names.at(-1) ?? "";
    byName.set(name, (byName.get(name) ?? 0) + fuel);
    total += fuel;
  }
  return [...byName]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, count)
    .map(([name, fuel]) => ({ name, fuel, share: total === 0 ? 0 : fuel / total }));
}

interface Node {
  readonly name: string;
  own: number;
  total: number;
  readonly children: Map<string, Node>;
}

function createNode(name: string): Node {
  return { name, own: 0, total: 0, children: new Map() };
}

function parseStacks(foldedStacks: string): Node {
  const root = createNode("all");
  for (const { names, fuel } of readLines(foldedStacks)) {
    root.total += fuel;
    let node = root;
    for (const name of names) {
      const child = node.children.get(name) ?? createNode(name);
      node.children.set(name, child);
      child.total += fuel;
      node = child;
    }
    node.own += fuel;
  }
  return root;
}

function* readLines(
  foldedStacks: string,
): Generator<{ readonly names: readonly string[]; readonly fuel: number }> {
  for (const line of foldedStacks.split("\n")) {
    const split = line.lastIndexOf(" ");
    const fuel = Number(line.slice(split + 1));
    if (split > 0 && fuel > 0 && Number.isFinite(fuel))
      yield { names: line.slice(0, split).split(";"), fuel };
  }
}

interface Frame {
  readonly node: Node;
  readonly depth: number;
  /** Shares of the whole width. */
  readonly left: number;
  readonly width: number;
}

/** Callers first. Without recursion: a path may be as deep as its text is long. */
function layOut(root: Node): readonly Frame[] {
  const frames: Frame[] = [];
  const waiting: Frame[] = [{ node: root, depth: 0, left: 0, width: 1 }];
  for (let frame = waiting.pop(); frame !== undefined; frame = waiting.pop()) {
    frames.push(frame);
    const { node, depth } = frame;
    let { left } = frame;
    // By name, so that graphs of two runs can be laid side by side.
    const children = [...node.children.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
    for (const child of children) {
      const width = child.total / root.total;
      if (width >= NARROWEST) waiting.push({ node: child, depth: depth + 1, left, width });
      left += width;
    }
  }
  return frames;
}

function drawFrame({ node, depth, left, width }: Frame, total: number): string {
  const inner = WIDTH - 2 * MARGIN;
  const [x, y, w] = [MARGIN + left * inner, HEADER + depth * ROW, width * inner];
  const share = total === 0 ? "" : `, ${((100 * node.total) / total).toFixed(2)} %`;
  const own = node.own === node.total ? "" : `, ${grouped(node.own)} itself`;
  const name = escapeXml(node.name);
  return `<g class="f" data-l="${left}" data-w="${width}" data-d="${depth}"><title>${name}: ${grouped(node.total)} fuel${share}${own}</title><rect x="${x.toFixed(2)}" y="${y}" width="${w.toFixed(2)}" height="${ROW - 1}" rx="2" fill="${colourOf(node.name)}"/><text x="${(x + 4).toFixed(2)}" y="${y + 12}" data-n="${name}">${escapeXml(shortened(node.name, w))}</text></g>`;
}

function shortened(name: string, width: number): string {
  const room = Math.floor((width - 8) / CHARACTER);
  if (room < 3) return "";
  return name.length <= room ? name : `${name.slice(0, room - 2).toWellFormed()}..`;
}

/** Warm, and the same for the same name. */
function colourOf(name: string): string {
  let hash = 2_166_136_261;
  for (let at = 0; at < name.length; at += 1) hash = Math.imul(hash ^ name.charCodeAt(at), 16_777_619);
  const [hue, light] = [10 + ((hash >>> 8) % 45), 66 + ((hash >>> 20) % 14)];
  return `hsl(${hue} 85% ${light}%)`;
}

function grouped(count: number): string {
  return count.toLocaleString("en-US", { maximumFractionDigits: 0 });
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

/** Names come from modules that nobody trusts. XML has no way to write most control characters, nor half a pair. */
function escapeXml(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/[\p{Cc}\uFFFE\uFFFF]/gu, " ")
    .replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? "");
}
