"""JSON lines on standard output."""

import datetime
import json
import sys
import threading

_lock = threading.Lock()


def log(message: str, *, level: str = "info", **fields) -> None:
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
    line = {"time": now, "level": level, "component": "python-wep", "msg": message}
    line.update((name, value) for name, value in fields.items() if value is not None)
    with _lock:
        print(json.dumps(line, default=str), file=sys.stdout, flush=True)
