"""Values as they travel, and as a handler sees them."""

import json

from .handlers import Code, TaskError

#: Larger results do not fit a message of the usual 4 MiB with all that is around them.
MAX_RESULT_BYTES = 3 * 1024 * 1024

#: Beyond it, a reader of JSON may round an integer.
MAX_SAFE_INTEGER = 2**53 - 1


def from_wire(descriptor, open_file):
    """The value of an InputDescriptor: a file for a reference, else what its JSON or bytes say."""
    if descriptor.ref:
        return open_file(descriptor)
    if not descriptor.inline_json:
        return descriptor.inline_bytes
    try:
        return _typed(descriptor.abi_type, json.loads(descriptor.inline_json))
    except ValueError as error:
        what = f"not a {descriptor.abi_type}" if descriptor.abi_type else "not JSON"
        raise TaskError(Code.INVALID_FORMAT, f'input "{descriptor.name}" is {what}: {error}') from error


def _typed(abi_type, value):
    """Wide integers travel as decimal texts and bytes as hex. Tuples stay as JSON has them."""
    if abi_type.endswith("]") and isinstance(value, list):
        return [_typed(abi_type[: abi_type.rindex("[")], each) for each in value]
    if abi_type.startswith(("uint", "int")) and isinstance(value, (str, int)):
        return int(value)
    if abi_type.startswith("bytes") and isinstance(value, str):
        return bytes.fromhex(value[2:])
    return value


def to_wire(outputs) -> bytes:
    """What a handler returned, as JSON."""
    if outputs is None:
        outputs = {}
    if not isinstance(outputs, dict):
        raise _unfit(f"the handler returned {type(outputs).__name__}; return a dict keyed by output name")
    try:
        data = json.dumps(_plain(outputs), allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise _unfit(f"the result has no JSON form: {error}") from error
    if len(data) > MAX_RESULT_BYTES:
        raise _unfit(
            f"the result is {len(data)} bytes and at most {MAX_RESULT_BYTES} travel inline; "
            "upload the large output with ctx.upload and return its key"
        )
    return data


def _plain(value):
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, (bytes, bytearray)):
        return f"0x{value.hex()}"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > MAX_SAFE_INTEGER:
        return str(value)
    return value


def _unfit(message: str) -> TaskError:
    return TaskError(Code.INVALID_FORMAT, message)
