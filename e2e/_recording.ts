import { writeFileSync } from "node:fs";

const RATE_HZ = 48_000;
const HEADER_BYTES = 44;

/**
 * Writes a WAV of noise that swells and fades as speech does, the same for the same length.
 * Two minutes keep `audio.preprocess` busy for seconds.
 */
export function writeRecording(path: string, seconds: number): void {
  const frames = RATE_HZ * seconds;
  const buffer = Buffer.alloc(HEADER_BYTES + frames * 2);
  writeHeader(buffer, frames * 2);
  let noise = 1;
  for (let frame = 0; frame < frames; frame += 1) {
    noise = (Math.imul(noise, 1_664_525) + 1_013_904_223) >>> 0;
    const timeS = frame / RATE_HZ;
    const syllables = Math.sin(Math.PI * 3 * timeS) ** 2;
    const phrases = Math.sin(Math.PI * 0.3 * timeS) ** 2;
    const level = 9_000 * syllables * (0.2 + 0.8 * phrases);
    buffer.writeInt16LE(Math.trunc((noise / 2 ** 31 - 1) * level), HEADER_BYTES + frame * 2);
  }
  writeFileSync(path, buffer);
}

function writeHeader(buffer: Buffer, dataBytes: number): void {
  buffer.write("RIFF", 0, "latin1");
  buffer.writeUInt32LE(HEADER_BYTES - 8 + dataBytes, 4);
  buffer.write("WAVEfmt ", 8, "latin1");
  buffer.writeUInt32LE(16, 16);
  buffer.writeUInt16LE(1, 20); // PCM
  buffer.writeUInt16LE(1, 22); // mono
  buffer.writeUInt32LE(RATE_HZ, 24);
  buffer.writeUInt32LE(RATE_HZ * 2, 28);
  buffer.writeUInt16LE(2, 32);
  buffer.writeUInt16LE(16, 34);
  buffer.write("data", 36, "latin1");
  buffer.writeUInt32LE(dataBytes, 40);
}
