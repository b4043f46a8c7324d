import type { SampleEncoding } from "../src/wav-format.ts";

/** A WAV for a test. Written independently of the decoder, after the published layout. */
export interface WavSpec {
  readonly encoding?: SampleEncoding;
  readonly sampleRateHz?: number;
  /** One array per channel, full scale 1. */
  readonly channels: readonly ArrayLike<number>[];
  readonly extensible?: boolean;
  readonly container?: "RIFF" | "RF64" | "BW64";
  /** Chunks between the format and the samples. */
  readonly extraChunks?: readonly { readonly id: string; readonly body: Uint8Array }[];
  /** Overrides fields of the format chunk or the declared data size with lies. */
  readonly lie?: {
    readonly tag?: number;
    readonly channels?: number;
    readonly sampleRateHz?: number;
    readonly frameBytes?: number;
    readonly bitsPerSample?: number;
    readonly dataBytes?: number;
  };
}

const BYTES: Record<SampleEncoding, number> = { u8: 1, s16: 2, s24: 3, s32: 4, f32: 4, f64: 8 };

export function buildWav(spec: WavSpec): Uint8Array {
  const data = sampleBytes(spec);
  const container = spec.container ?? "RIFF";
  const is64 = container !== "RIFF";
  const dataSize = spec.lie?.dataBytes ?? (is64 ? 0xffff_ffff : data.length);
  const chunks = [
    ...(is64 ? [chunk("ds64", ds64(data.length))] : []),
    chunk("fmt ", formatBody(spec)),
    ...(spec.extraChunks ?? []).map(({ id, body }) => chunk(id, body)),
    chunk("data", data, dataSize),
  ];
  const body = Buffer.concat([Buffer.from("WAVE"), ...chunks]);
  return new Uint8Array(Buffer.concat([header(container, is64 ? 0xffff_ffff : body.length), body]));
}

function chunk(id: string, body: Uint8Array, size: number = body.length): Buffer {
  return Buffer.concat([header(id, size), body, Buffer.alloc(body.length % 2)]);
}

function header(id: string, size: number): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.write(id, "latin1");
  buffer.writeUInt32LE(size, 4);
  return buffer;
}

function ds64(dataBytes: number): Buffer {
  const buffer = Buffer.alloc(28);
  buffer.writeBigUInt64LE(BigInt(dataBytes), 8);
  return buffer;
}

function formatBody(spec: WavSpec): Buffer {
  const encoding = spec.encoding ?? "s16";
  const fields = {
    tag: encoding.startsWith("f") ? 3 : 1,
    channels: spec.channels.length,
    sampleRateHz: spec.sampleRateHz ?? 16_000,
    frameBytes: spec.channels.length * BYTES[encoding],
    bitsPerSample: BYTES[encoding] * 8,
    ...spec.lie,
  };
  const isExtensible = spec.extensible === true;
  const body = Buffer.alloc(isExtensible ? 40 : 16);
  body.writeUInt16LE(isExtensible ? 0xfffe : fields.tag, 0);
  body.writeUInt16LE(fields.channels, 2);
  body.writeUInt32LE(fields.sampleRateHz, 4);
  body.writeUInt32LE((fields.sampleRateHz * fields.frameBytes) >>> 0, 8);
  body.writeUInt16LE(fields.frameBytes, 12);
  body.writeUInt16LE(fields.bitsPerSample, 14);
  if (!isExtensible) return body;
  body.writeUInt16LE(22, 16);
  body.writeUInt16LE(fields.bitsPerSample, 18);
  body.writeUInt16LE(fields.tag, 24);
  Buffer.from("000000001000800000aa00389b71", "hex").copy(body, 26);
  return body;
}

function sampleBytes(spec: WavSpec): Buffer {
  const encoding = spec.encoding ?? "s16";
  const frames = spec.channels[0]?.length ?? 0;
  const buffer = Buffer.alloc(frames * spec.channels.length * BYTES[encoding]);
  let offset = 0;
  for (let frame = 0; frame < frames; frame++) {
    for (const channel of spec.channels) {
      writeSample(buffer, { offset, encoding, value: channel[frame] ?? 0 });
      offset += BYTES[encoding];
    }
  }
  return buffer;
}

function writeSample(
  buffer: Buffer,
  { offset, encoding, value }: { offset: number; encoding: SampleEncoding; value: number },
): void {
  const integer = (bits: number): number => {
    const scale = 2 ** (bits - 1);
    return Math.max(-scale, Math.min(scale - 1, Math.round(value * scale)));
  };
  if (encoding === "u8") buffer.writeUInt8(integer(8) + 128, offset);
  else if (encoding === "f32") buffer.writeFloatLE(value, offset);
  else if (encoding === "f64") buffer.writeDoubleLE(value, offset);
  else buffer.writeIntLE(integer(BYTES[encoding] * 8), offset, BYTES[encoding]);
}
