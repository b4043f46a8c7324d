"""Runs the handler table.profile for a WCP: `python3 worker.py --help`."""

import json
import time

import wep
from table_profile import BadTable, Lines, Profile, records

MAX_BYTES = 4 * 1024**3
LOOK_EVERY_ROWS = 1_000
CHECKPOINT_EVERY_S = 1


@wep.handler("table.profile", "1.0.0")
def profile_table(inputs, ctx):
    """Reads a CSV table once, whatever its size, and writes down what its columns hold."""
    table = inputs.get("table_object_key")
    if not isinstance(table, wep.InputFile):
        raise wep.TaskError(wep.Code.MISSING_REQUIRED_FIELD, "table_object_key names no object")
    delimiter = inputs.get("delimiter") or ""
    if len(delimiter) > 1 or delimiter in ('"', "\n", "\r"):
        raise wep.TaskError(
            wep.Code.INVALID_INPUT, f"delimiter is {delimiter!r}; give one character, or none to have it guessed"
        )
    try:
        profile = read(table, delimiter, ctx)
    except BadTable as error:
        code = wep.Code.INVALID_INPUT if error.code == "TABLE_EMPTY" else wep.Code.INVALID_FORMAT
        raise wep.TaskError(code, str(error)) from error
    report = {"object_key": table.object_key, "size_bytes": profile.offset, **profile.report()}
    key = ctx.upload("profile.json", json.dumps(report, indent=2, ensure_ascii=False), "application/json")
    return {
        "rows": profile.rows,
        "columns": len(profile.columns),
        "malformed_rows": profile.malformed,
        "report_object_key": key,
    }


def read(table, delimiter, ctx):
    profile = resumed(ctx)
    if profile is None:
        lines = Lines(table.chunks())
        profile, rest = Profile.begin(lines, delimiter)
    else:
        lines = Lines(table.chunks(start=profile.offset), profile.offset)
        rest = records(lines, profile.delimiter)
    saved_at = time.monotonic()
    for record in rest:
        profile.add(record)
        if profile.rows % LOOK_EVERY_ROWS == 0:
            ctx.check()
            profile.offset = lines.offset
            if profile.offset > MAX_BYTES:
                raise wep.TaskError(wep.Code.QUOTA_EXCEEDED, f"the table has more than {MAX_BYTES} bytes")
            checkpoint = ""
            if time.monotonic() - saved_at >= CHECKPOINT_EVERY_S:
                checkpoint, saved_at = profile.dump(), time.monotonic()
            percent = 95 * profile.offset / (table.size_bytes or MAX_BYTES)
            ctx.progress(percent, f"{profile.rows} rows", checkpoint)
    profile.offset = lines.offset
    return profile


def resumed(ctx):
    """What an attempt before this one had read; None to begin at the beginning."""
    if not ctx.checkpoint:
        return None
    try:
        profile = Profile.load(ctx.checkpoint)
    except ValueError as error:
        ctx.log("checkpoint cannot be used", reason=str(error))
        return None
    ctx.log("resumed", row=profile.rows, byte=profile.offset)
    return profile


if __name__ == "__main__":
    wep.main()
