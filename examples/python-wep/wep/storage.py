"""Objects in storage, through presigned URLs. This process never sees what signs them."""

import http.client
import pathlib
import re
import urllib.error
import urllib.request
from typing import Iterator

from .handlers import Code, TaskError

CHUNK_BYTES = 256 * 1024
TIMEOUT_S = 30
GRANT_TIMEOUT_S = 15
#: In a row, without a byte of progress between them.
ATTEMPTS = 5
TRANSIENT_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
TRANSIENT = (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError)


class Transient(Exception):
    """May pass by itself."""


class InputFile:
    """An object that the task names. Read it with `read` or, where it may be large, `chunks`."""

    def __init__(self, descriptor, context):
        self.name: str = descriptor.name
        self.media_type: str = descriptor.media_type
        self.object_key: str = descriptor.object_key
        #: Set once reading has begun: the whole object's size (None where storage does not say) and version.
        self.size_bytes = None
        self.etag: str = ""
        self._url = descriptor.ref
        self._context = context

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        """The bytes from `start` on, from where they broke off when a connection does."""
        if not self._url.startswith(("http://", "https://")):
            raise TaskError(
                Code.INVALID_INPUT,
                f"{self._label()} came without a URL: the WCP has no object store; set [storage] there",
            )
        at, failures = start, 0
        while True:
            try:
                for chunk in self._open(at):
                    at, failures = at + len(chunk), 0
                    yield chunk
                return
            except (Transient, *TRANSIENT) as error:
                failures += 1
                _pause_or_give_up(self._context, failures, f"reading {self._label()} at byte {at}", error)

    def read(self, max_bytes: int = 64 * 1024 * 1024) -> bytes:
        """The whole object."""
        data = bytearray()
        for chunk in self.chunks():
            data += chunk
            if len(data) > max_bytes:
                raise TaskError(
                    Code.QUOTA_EXCEEDED, f"{self._label()} has more than {max_bytes} bytes; use chunks()"
                )
        return bytes(data)

    def _open(self, start: int) -> Iterator[bytes]:
        # Ranges are no part of a URL's signature.
        headers = {"range": f"bytes={start}-"} if start > 0 else {}
        try:
            reply = urllib.request.urlopen(
                urllib.request.Request(self._url, headers=headers), timeout=TIMEOUT_S
            )
        except urllib.error.HTTPError as error:
            if error.code == 416 and start > 0:
                return  # it ends right there
            raise _refusal(error, self._label()) from error
        with reply:
            left = self._identify(reply, start)
            while True:
                self._context.check()
                chunk = reply.read(CHUNK_BYTES)
                if not chunk:
                    break
                left = None if left is None else left - len(chunk)
                yield chunk
            # http.client takes a connection that ends too early for the end of the object.
            if left:
                raise Transient(f"the connection ended {left} bytes before the object did")

    def _identify(self, reply, start: int):
        """How many bytes are to come; None where storage does not say."""
        length = reply.headers.get("content-length")
        left = None if length is None else int(length)
        if start > 0 and reply.status != 206:
            raise TaskError(Code.HTTP_ERROR, f"storage cannot give {self._label()} from byte {start} on")
        etag = reply.headers.get("etag", "")
        if self.etag and etag != self.etag:
            raise TaskError(Code.RESOURCE_UNAVAILABLE, f"{self._label()} was replaced while it was read")
        self.etag = etag
        self.size_bytes = None if left is None else start + left
        return left

    def _label(self) -> str:
        return f'input "{self.name}" ({self.object_key or "no key"})'


def upload(context, run, name: str, data, media_type: str) -> str:
    """Asks for a presigned URL and writes the object; returns its key."""
    body = data.encode() if isinstance(data, str) else data
    size = body.stat().st_size if isinstance(body, pathlib.Path) else len(body)
    failures = 0
    while True:
        context.check()
        try:
            # Each attempt asks anew: the URL of the last one may have expired.
            grant = run.request_upload(name, media_type, size, GRANT_TIMEOUT_S)
            if grant.error:
                raise TaskError(Code.PERMISSION_DENIED, f'upload of "{name}" was refused: {grant.error}')
            _put(grant, body, name)
            return grant.object_key
        except (Transient, *TRANSIENT) as error:
            failures += 1
            _pause_or_give_up(context, failures, f'uploading "{name}"', error)


def _put(grant, body, name: str) -> None:
    stream = body.open("rb") if isinstance(body, pathlib.Path) else None
    try:
        request = urllib.request.Request(
            grant.url, data=stream or body, headers=dict(grant.headers), method="PUT"
        )
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as reply:
            reply.read()
    except urllib.error.HTTPError as error:
        raise _refusal(error, f'upload of "{name}"') from error
    finally:
        if stream is not None:
            stream.close()


def _refusal(error: urllib.error.HTTPError, label: str) -> Exception:
    with error:
        text = error.read(2048).decode("utf-8", "replace")
    code = re.search(r"<Code>([^<]{1,80})</Code>", text)
    said = f"storage answered {error.code}{f' ({code[1]})' if code else ''}"
    if error.code in TRANSIENT_STATUS:
        return Transient(said)
    if error.code in (404, 410):
        return TaskError(Code.INVALID_INPUT, f"{label}: no such object; {said}")
    if error.code in (401, 403):
        # With a new assignment comes a new URL.
        expired = "expired" in text.lower()
        return TaskError(Code.PERMISSION_DENIED, f"{label}: access refused; {said}", retryable=expired)
    return TaskError(Code.HTTP_ERROR, f"{label}: {said}")


def _pause_or_give_up(context, failures: int, doing: str, error: Exception) -> None:
    if failures >= ATTEMPTS:
        raise TaskError(Code.NETWORK_ERROR, f"gave up {doing}: {error}") from error
    context.wait(0.2 * 2**failures)
