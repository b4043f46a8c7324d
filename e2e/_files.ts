import { readFileSync } from "node:fs";
import { crc32, inflateSync } from "node:zlib";

export interface WavFacts {
  readonly channels: number;
  readonly sampleRateHz: number;
  readonly durationMs: number;
}

/** Opens a WAV file as a player would. @throws when it is none, or not whole */
export function openWav(path: string): WavFacts {
  const bytes = readFileSync(path);
  if (bytes.toString("latin1", 0, 4) !== "RIFF" || bytes.toString("latin1", 8, 12) !== "WAVE")
    throw new Error(`${path} is no WAV`);
  if (bytes.readUInt32LE(4) !== bytes.length - 8) throw new Error(`${path} has not the size it announces`);
  const chunks = new Map<string, Buffer>();
  for (let at = 12; at + 8 <= bytes.length;) {
    const size = bytes.readUInt32LE(at + 4);
    chunks.set(bytes.toString("latin1", at, at + 4), bytes.subarray(at + 8, at + 8 + size));
    at += 8 + size + (size % 2);
  }
  const format = chunks.get("fmt ");
  const data = chunks.get("data");
  if (format === undefined || data === undefined) throw new Error(`${path} lacks a chunk`);
  const sampleRateHz = format.readUInt32LE(4);
  const bytesPerFrame = format.readUInt16LE(12);
  return {
    channels: format.readUInt16LE(2),
    sampleRateHz,
    durationMs: (data.length / bytesPerFrame / sampleRateHz) * 1_000,
  };
}

export interface PngFacts {
  readonly width: number;
  readonly height: number;
  /** Uncompressed, with a filter byte for each row. */
  readonly dataBytes: number;
}

/** Opens a PNG file: signature, the checksum of every chunk, and the compressed pixels. @throws when something is wrong */
export function openPng(path: string): PngFacts {
  const bytes = readFileSync(path);
  if (bytes.toString("latin1", 0, 8) !== "\x89PNG\r\n\x1a\n") throw new Error(`${path} is no PNG`);
  const chunks: { readonly type: string; readonly data: Buffer }[] = [];
  for (let at = 8; at < bytes.length;) {
    const size = bytes.readUInt32BE(at);
    const body = bytes.subarray(at + 4, at + 8 + size);
    if (crc32(body) !== bytes.readUInt32BE(at + 8 + size)) throw new Error(`${path}: a chunk is damaged`);
    chunks.push({ type: body.toString("latin1", 0, 4), data: body.subarray(4) });
    at += 12 + size;
  }
  const header = chunks[0];
  if (header?.type !== "IHDR" || chunks.at(-1)?.type !== "IEND") throw new Error(`${path} is not whole`);
  const pixels = inflateSync(
    Buffer.concat(chunks.filter(({ type }) => type === "IDAT").map(({ data }) => data)),
  );
  return {
    width: header.data.readUInt32BE(0),
    height: header.data.readUInt32BE(4),
    dataBytes: pixels.length,
  };
}
