#!/bin/sh
# Makes samples/recording.wav: synthetic speech in a slightly noisy room, with silence around it.
# Needs espeak-ng and sox (Debian: apt-get install espeak-ng sox). Only needed to make the file again.
set -eu
cd "$(dirname "$0")/../samples"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

espeak-ng -v en-us -s 150 -p 45 -g 2 -w "$work/speech.wav" \
  "A worker claims the task, cleans up the recording, and reports the result."

# -R: repeatable noise and dither. The second channel hears the speaker a little later and softer.
sox -R "$work/speech.wav" -r 44100 "$work/left.wav" gain -n -7 pad 0.9 1.1
sox -R "$work/left.wav" "$work/right.wav" delay 0.0004 gain -1.5 trim 0 "$(soxi -s "$work/left.wav")"s
sox -R -M "$work/left.wav" "$work/right.wav" "$work/stereo.wav"
sox -R -n -r 44100 -c 2 -b 16 "$work/noise.wav" synth "$(soxi -s "$work/left.wav")"s pinknoise pinknoise gain -42
sox -R -m -v 1 "$work/stereo.wav" -v 1 "$work/noise.wav" -b 16 recording.wav
soxi recording.wav
