"""python3 -m unittest discover tests"""

import json
import pathlib
import random
import sys
import unittest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from table_profile import BadTable, Distinct, Lines, Profile, guess_delimiter, kind_of, records  # noqa: E402


def profile_of(text, delimiter="", chunk_bytes=7):
    data = text if isinstance(text, bytes) else text.encode()
    lines = Lines(data[at : at + chunk_bytes] for at in range(0, len(data), chunk_bytes))
    profile, rest = Profile.begin(lines, delimiter)
    for record in rest:
        profile.add(record)
    profile.offset = lines.offset
    return profile


class ProfileTest(unittest.TestCase):
    def column(self, profile, name):
        return next(each for each in profile.report()["columns"] if each["name"] == name)

    def test_the_sample(self):
        data = HERE.parent.joinpath("samples", "orders.csv").read_bytes()
        profile = profile_of(data)
        report = profile.report()
        self.assertEqual(
            [(each["name"], each["type"]) for each in report["columns"]],
            [
                ("order", "integer"),
                ("date", "date"),
                ("customer", "text"),
                ("quantity", "text"),
                ("price", "number"),
                ("shipped", "boolean"),
                ("note", "text"),
            ],
        )
        self.assertEqual((report["rows"], report["malformed"]), (7, 1))
        self.assertEqual(report["malformed_rows"], [{"row": 6, "cells": 4}])
        self.assertEqual(self.column(profile, "quantity")["kinds"], {"integer": 5, "text": 1})
        self.assertEqual(self.column(profile, "date")["max"], "2026-03-07")
        self.assertEqual(self.column(profile, "customer")["distinct"], 5)
        self.assertEqual(self.column(profile, "note")["empty"], 3)
        price = self.column(profile, "price")
        self.assertEqual((price["min"], price["max"]), (3.25, 149.0))
        self.assertAlmostEqual(price["mean"], (19.9 + 149 + 3.25 + 89.5 + 12 + 7.75) / 6)
        self.assertEqual(profile.offset, len(data))

    def test_delimiters_are_guessed_outside_quotes(self):
        self.assertEqual(guess_delimiter('"a,b,c";d'), ";")
        self.assertEqual(guess_delimiter("a\tb\tc,d"), "\t")
        self.assertEqual(guess_delimiter("single"), ",")
        self.assertEqual(len(profile_of("a|b\n1|2\n").columns), 2)
        self.assertEqual(len(profile_of("a;b\n1,5;2\n", ",").columns), 1)

    def test_kinds(self):
        cells = {"12": "integer", "-3": "integer", "1e5": "number", ".5": "number", "1e999": "text",
                 "TRUE": "boolean", "2026-01-02T03:04:05Z": "date", "2026-1-2": "text", "x": "text",
                 "1234567890123456789012": "number", "٣": "text"}
        self.assertEqual({cell: kind_of(cell) for cell in cells}, cells)

    def test_a_byte_order_mark_blank_lines_and_windows_line_ends(self):
        profile = profile_of("\ufeff\r\na,b\r\n\r\n1,2\r\n".replace("\ufeff\r\n", "\ufeff"))
        self.assertEqual([each.name for each in profile.columns], ["a", "b"])
        self.assertEqual(profile.rows, 1)

    def test_what_is_no_table(self):
        for code, text in {
            "TABLE_EMPTY": "",
            "TABLE_NOT_UTF8": "a,b\n1,".encode() + b"\xff\n",
            "TABLE_NOT_TEXT": "a,b\n\0,1\n",
            "TABLE_MALFORMED": 'a,b\n1,"open\n',
            "TABLE_TOO_WIDE": ",".join("x" * 1_001),
        }.items():
            with self.subTest(code), self.assertRaises(BadTable) as caught:
                profile_of(text)
            self.assertEqual(caught.exception.code, code)
        with self.assertRaises(BadTable) as caught:
            profile_of(b"a,b\n" + b"x" * 2_000_000, chunk_bytes=65_536)
        self.assertEqual(caught.exception.code, "TABLE_MALFORMED")

    def test_a_checkpoint_anywhere_changes_nothing(self):
        chance = random.Random(7)
        rows = [f'{at},"{chance.random()}","line\none {at % 700}",{chance.choice(["yes", "", "2026-01-01"])}'
                for at in range(1_500)]
        data = ("id,value,text,mixed\n" + "\n".join(rows) + "\n").encode()
        whole = profile_of(data, chunk_bytes=4_096)
        for stop in (1, 255, 900, 1_500):
            lines = Lines([data])
            first, rest = Profile.begin(lines)
            for _ in range(stop):
                first.add(next(rest))
            first.offset = lines.offset
            again = Profile.load(first.dump())
            lines = Lines([data[again.offset :]], again.offset)
            for record in records(lines, again.delimiter):
                again.add(record)
            self.assertEqual(json.dumps(again.report()), json.dumps(whole.report()))

    def test_a_foreign_checkpoint_is_refused(self):
        for text in ("", "nonsense", "eJyrrgUAAXUA+Q=="):
            with self.subTest(text), self.assertRaises(ValueError):
                Profile.load(text)

    def test_distinct_is_exact_at_first_and_then_close(self):
        distinct = Distinct()
        for at in range(256):
            distinct.add(str(at))
        self.assertEqual((distinct.count(), distinct.is_exact), (256, True))
        for at in range(100_000):
            distinct.add(str(at))
        self.assertFalse(distinct.is_exact)
        self.assertLess(abs(distinct.count() / 100_000 - 1), 0.1)


if __name__ == "__main__":
    unittest.main()
