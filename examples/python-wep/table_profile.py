"""Profiles a table: what its columns hold, without holding the table. Knows nothing of workers.

Everything it has learnt fits a short text (`Profile.dump`), from which it goes on elsewhere (`Profile.load`).
"""

import base64
import csv
import hashlib
import itertools
import json
import math
import re
import zlib
from typing import Iterable, Iterator, List

DELIMITERS = ",;\t|"
MAX_COLUMNS = 1_000
MAX_LINE_BYTES = 1024 * 1024
MALFORMED_SHOWN = 10
EXAMPLES = 3

INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
BOOLEAN = re.compile(r"true|false|yes|no", re.IGNORECASE)
DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII)

csv.field_size_limit(MAX_LINE_BYTES)


class BadTable(Exception):
    """What was given is no table that can be read."""

    def __init__(self, code: str, message: str):
        super().__init__(f"[{code}] {message}")
        self.code = code


class Lines:
    """The lines of a UTF-8 text that comes in chunks, and where in the text the last one ended."""

    def __init__(self, chunks: Iterable[bytes], offset: int = 0):
        self.offset = offset
        self._chunks = iter(chunks)

    def __iter__(self) -> Iterator[str]:
        rest = b""
        for chunk in self._chunks:
            lines = (rest + chunk).split(b"\n")
            rest = lines.pop()
            for line in lines:
                yield self._text(line + b"\n")
            if len(rest) > MAX_LINE_BYTES:
                raise BadTable("TABLE_MALFORMED", f"the line at byte {self.offset} has no end within 1 MiB")
        if rest:
            yield self._text(rest)

    def _text(self, line: bytes) -> str:
        encoding = "utf-8-sig" if self.offset == 0 else "utf-8"
        try:
            text = line.decode(encoding)
        except UnicodeDecodeError as error:
            at = self.offset + error.start
            raise BadTable("TABLE_NOT_UTF8", f"byte {at} is no UTF-8; save the table as CSV in UTF-8") from error
        if "\0" in text:
            raise BadTable("TABLE_NOT_TEXT", f"zero bytes after byte {self.offset}; this is no text, so no CSV")
        self.offset += len(line)
        return text


def guess_delimiter(header: str) -> str:
    """The one that comes most often outside quotes."""
    bare = re.sub(r'"[^"]*"', "", header)
    return max(DELIMITERS, key=bare.count)


def records(lines: Iterable[str], delimiter: str) -> Iterator[List[str]]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        yield from reader
    except csv.Error as error:
        raise BadTable("TABLE_MALFORMED", f"record ending in line {reader.line_num}: {error}") from error


class Distinct:
    """How many different texts there were: exact up to 256, then within about 3 % (HyperLogLog)."""

    LIMIT = 256
    REGISTERS = 1024

    def __init__(self):
        self.hashes = set()
        self.registers = None

    def add(self, text: str) -> None:
        value = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
        if self.registers is not None:
            self._register(value)
            return
        self.hashes.add(value)
        if len(self.hashes) > self.LIMIT:
            self.registers = bytearray(self.REGISTERS)
            for each in self.hashes:
                self._register(each)
            self.hashes.clear()

    def _register(self, value: int) -> None:
        index, rest = value % self.REGISTERS, value // self.REGISTERS
        self.registers[index] = max(self.registers[index], 54 - rest.bit_length() + 1)

    @property
    def is_exact(self) -> bool:
        return self.registers is None

    def count(self) -> int:
        if self.registers is None:
            return len(self.hashes)
        m = self.REGISTERS
        estimate = 0.7213 / (1 + 1.079 / m) * m * m / sum(2.0**-rank for rank in self.registers)
        zeros = self.registers.count(0)
        return round(m * math.log(m / zeros) if zeros and estimate <= 2.5 * m else estimate)


class Column:
    STATE = ("kinds", "empty", "count", "mean", "m2", "least", "greatest", "shortest", "longest", "examples")

    def __init__(self, name: str):
        self.name = name
        self.kinds = {}
        self.empty = 0
        self.count = 0
        self.mean = self.m2 = 0.0
        #: Numbers, or dates as they are written, whichever the column has.
        self.least = {}
        self.greatest = {}
        self.shortest = self.longest = None
        self.examples = []
        self.distinct = Distinct()

    def add(self, cell: str) -> None:
        text = cell.strip()
        if not text:
            self.empty += 1
            return
        kind = kind_of(text)
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        if kind in ("integer", "number"):
            self._add_number(float(text))
        elif kind == "date":
            self._add_extremes("date", text)
        length = len(cell)
        self.shortest = length if self.shortest is None else min(self.shortest, length)
        self.longest = length if self.longest is None else max(self.longest, length)
        self.distinct.add(cell)
        if len(self.examples) < EXAMPLES and text not in self.examples:
            self.examples.append(text[:80])

    def _add_number(self, value: float) -> None:
        # Welford: no sum of squares that outgrows the digits.
        self.count += 1
        delta = value - self.mean
        self.mean += delta / self.count
        self.m2 += delta * (value - self.mean)
        self._add_extremes("number", value)

    def _add_extremes(self, kind, value) -> None:
        self.least[kind] = min(self.least.get(kind, value), value)
        self.greatest[kind] = max(self.greatest.get(kind, value), value)

    @property
    def type(self) -> str:
        kinds = set(self.kinds)
        if not kinds:
            return "empty"
        if kinds == {"integer", "number"}:
            return "number"
        return kinds.pop() if len(kinds) == 1 else "text"

    def report(self) -> dict:
        of = "date" if self.type == "date" else "number"
        is_numeric = self.type in ("integer", "number")
        return {
            "name": self.name,
            "type": self.type,
            "kinds": self.kinds,
            "empty": self.empty,
            "distinct": self.distinct.count(),
            "distinct_is_exact": self.distinct.is_exact,
            "min": self.least.get(of) if is_numeric or of == "date" else None,
            "max": self.greatest.get(of) if is_numeric or of == "date" else None,
            "mean": self.mean if is_numeric else None,
            "stddev": math.sqrt(self.m2 / self.count) if is_numeric else None,
            "shortest": self.shortest,
            "longest": self.longest,
            "examples": self.examples,
        }


def kind_of(text: str) -> str:
    if INTEGER.fullmatch(text):
        return "integer"
    if NUMBER.fullmatch(text) and math.isfinite(float(text)):
        return "number"
    if DATE.fullmatch(text):
        return "date"
    return "boolean" if BOOLEAN.fullmatch(text) else "text"


class Profile:
    """Of all records so far."""

    def __init__(self, header: List[str], delimiter: str):
        if len(header) > MAX_COLUMNS:
            raise BadTable("TABLE_TOO_WIDE", f"{len(header)} columns, and at most {MAX_COLUMNS} are profiled")
        self.delimiter = delimiter
        self.columns = [Column(name.strip() or f"column {at}") for at, name in enumerate(header, 1)]
        self.rows = 0
        self.malformed = 0
        self.malformed_rows = []
        #: In the text: all before it is in here.
        self.offset = 0

    @classmethod
    def begin(cls, lines: Lines, delimiter: str = ""):
        """Reads the header. Returns the profile, and the records after it."""
        rows = iter(lines)
        first = next(rows, "")
        while first and not first.strip():
            first = next(rows, "")
        if not first:
            raise BadTable("TABLE_EMPTY", "there is nothing in it, not even a header")
        delimiter = delimiter or guess_delimiter(first)
        rest = records(itertools.chain([first], rows), delimiter)
        return cls(next(rest), delimiter), rest

    def add(self, record: List[str]) -> None:
        if not record:
            return  # an empty line
        self.rows += 1
        if len(record) != len(self.columns):
            self.malformed += 1
            if len(self.malformed_rows) < MALFORMED_SHOWN:
                self.malformed_rows.append({"row": self.rows, "cells": len(record)})
            return
        for column, cell in zip(self.columns, record):
            column.add(cell)

    def report(self) -> dict:
        return {
            "rows": self.rows,
            "malformed": self.malformed,
            "malformed_rows": self.malformed_rows,
            "delimiter": self.delimiter,
            "columns": [column.report() for column in self.columns],
        }

    def dump(self) -> str:
        state = {name: getattr(self, name) for name in ("rows", "malformed", "malformed_rows", "offset")}
        state["delimiter"] = self.delimiter
        state["columns"] = [_dump_column(column) for column in self.columns]
        return base64.b64encode(zlib.compress(json.dumps(state).encode())).decode()

    @classmethod
    def load(cls, text: str):
        """Raises ValueError for what `dump` did not write."""
        try:
            state = json.loads(zlib.decompress(base64.b64decode(text, validate=True)))
            columns = state.pop("columns")
            profile = cls([each["name"] for each in columns], state.pop("delimiter"))
            vars(profile).update(state)
            for column, kept in zip(profile.columns, columns):
                _load_column(column, kept)
            return profile
        except (zlib.error, KeyError, TypeError) as error:
            raise ValueError(f"no checkpoint of this program: {error!r}") from error


def _dump_column(column: Column) -> dict:
    distinct = column.distinct
    kept = {name: getattr(column, name) for name in Column.STATE}
    registers = None if distinct.is_exact else base64.b64encode(distinct.registers).decode()
    return {**kept, "name": column.name, "hashes": sorted(distinct.hashes), "registers": registers}


def _load_column(column: Column, kept: dict) -> None:
    for name in Column.STATE:
        setattr(column, name, kept[name])
    column.distinct.hashes = set(kept["hashes"])
    if kept["registers"] is not None:
        column.distinct.registers = bytearray(base64.b64decode(kept["registers"]))
