/** What `audio.validate` measured. */
export interface Measurements {
  /** Minus infinity when nothing lies above the absolute gate. */
  readonly integratedLufs: number;
  readonly clippedShare: number;
  readonly silenceShare: number;
  readonly snrDb: number;
}

/** Whether the recording is good enough, and why. */
export interface Verdict {
  readonly accepted: boolean;
  /** One sentence for people. */
  readonly verdict: string;
}

/** What an accepted recording keeps to. Meant for speech that `audio.preprocess` brought to -1 dBTP. */
const ACCEPTANCE = { minLufs: -33, maxLufs: -6, maxClippedShare: 0.001, maxSilenceShare: 0.6, minSnrDb: 15 };

/** Compares the measurements with what is accepted; a refusal lists every reason, each with what to change. */
export function judge(measured: Measurements): Verdict {
  const reasons = reasonsAgainst(measured);
  if (reasons.length > 0) return { accepted: false, verdict: `Rejected: ${reasons.join("; ")}.` };
  return {
    accepted: true,
    verdict: `Accepted: ${lufs(measured)}, ${percent(measured.clippedShare)} clipped, ${percent(measured.silenceShare)} silence, ${measured.snrDb.toFixed(1)} dB above the noise.`,
  };
}

function reasonsAgainst(measured: Measurements): string[] {
  const reasons: string[] = [];
  if (measured.integratedLufs < ACCEPTANCE.minLufs) {
    reasons.push(
      `too quiet at ${lufs(measured)}, below ${ACCEPTANCE.minLufs}; a single loud click may hold the level down`,
    );
  }
  if (measured.integratedLufs > ACCEPTANCE.maxLufs) {
    reasons.push(
      `too loud at ${lufs(measured)}, above ${ACCEPTANCE.maxLufs}; record with less gain or compression`,
    );
  }
  if (measured.clippedShare > ACCEPTANCE.maxClippedShare) {
    reasons.push(
      `clipped on ${percent(measured.clippedShare)} of the samples, more than ${percent(ACCEPTANCE.maxClippedShare)}; record with less gain`,
    );
  }
  if (measured.silenceShare > ACCEPTANCE.maxSilenceShare) {
    reasons.push(
      `${percent(measured.silenceShare)} is silence, more than ${percent(ACCEPTANCE.maxSilenceShare)}; cut the pauses`,
    );
  }
  if (measured.snrDb < ACCEPTANCE.minSnrDb) {
    reasons.push(
      `only ${measured.snrDb.toFixed(1)} dB above the noise, less than ${ACCEPTANCE.minSnrDb} dB; record closer to the microphone or in a quieter room`,
    );
  }
  return reasons;
}

function lufs(measured: Measurements): string {
  return Number.isFinite(measured.integratedLufs)
    ? `${measured.integratedLufs.toFixed(1)} LUFS`
    : "no measurable loudness";
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.01 ? 2 : 0)} %`;
}
