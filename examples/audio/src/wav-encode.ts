const HEADER_BYTES = 44;

/** Writes mono 16-bit samples as a WAV with the plain 44-byte header that every reader knows. */
export function encodeWav16(samples: Int16Array, sampleRateHz: number): Uint8Array {
  const dataBytes = samples.length * 2;
  const file = new Uint8Array(HEADER_BYTES + dataBytes);
  const view = new DataView(file.buffer);
  writeText(file, 0, "RIFF");
  view.setUint32(4, file.length - 8, true);
  writeText(file, 8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // channels
  view.setUint32(24, sampleRateHz, true);
  view.setUint32(28, sampleRateHz * 2, true); // bytes per second
  view.setUint16(32, 2, true); // bytes per frame
  view.setUint16(34, 16, true); // bits per sample
  writeText(file, 36, "data");
  view.setUint32(40, dataBytes, true);
  for (let index = 0; index < samples.length; index++) {
    view.setInt16(HEADER_BYTES + index * 2, samples[index] ?? 0, true);
  }
  return file;
}

function writeText(file: Uint8Array, offset: number, value: string): void {
  for (let index = 0; index < value.length; index++) file[offset + index] = value.charCodeAt(index);
}
