import { readFileSync } from "node:fs";

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  version: string;
};

/** How this build introduces itself. */
export const AGENT: string = `subnet-worker-wep/${version}`;
