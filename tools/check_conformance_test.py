#!/usr/bin/env python3
"""The conformance check itself: each kind of problem is found, and a table that is whole is passed."""
import pathlib
import tempfile
import unittest

import check_conformance

STATEMENTS = "5.0 MQTT-1.5.4-1\n5.0 MQTT-3.1.0-1\n"
ROW = "| MQTT-1.5.4-1 | UTF-8 | `lib/a_test.cpp`: `it_works` |\n"
OTHER = "| MQTT-3.1.0-1 | CONNECT first | n/a: client |\n"


class CheckConformance(unittest.TestCase):
    def problems(self, *rows):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "lib").mkdir()
            (root / "lib/a_test.cpp").write_text("TEST_F(Suite, it_works) {}\n", encoding="utf-8")
            return [*check_conformance.check(root, "## MQTT 5.0\n\n" + "".join(rows), STATEMENTS)]

    def test_a_whole_table_is_passed(self):
        self.assertEqual([], self.problems(ROW, OTHER))

    def test_a_missing_statement_is_found(self):
        self.assertIn("no row for 5.0 MQTT-3.1.0-1", self.problems(ROW)[0])

    def test_a_statement_that_is_none_is_found(self):
        self.assertIn("is no statement", self.problems(ROW, OTHER, OTHER.replace("3.1.0-1", "9.9.9-9"))[0])

    def test_a_second_row_is_found(self):
        self.assertIn("has two rows", self.problems(ROW, ROW, OTHER)[0])

    def test_a_test_that_is_not_there_is_found(self):
        self.assertIn("there is no test it_wo in", self.problems(ROW.replace("it_works", "it_wo"), OTHER)[0])
        self.assertIn("there is no test it_works in", self.problems(ROW.replace("a_test", "b_test"), OTHER)[0])

    def test_a_row_without_a_test_or_words_is_found(self):
        self.assertIn("names no test", self.problems(ROW, OTHER.replace("n/a: client", ""))[0])
        self.assertIn("names no test", self.problems(ROW, OTHER.replace("n/a: client", "later"))[0])
        self.assertIn("says nothing", self.problems(ROW, OTHER.replace("CONNECT first", ""))[0])


if __name__ == "__main__":
    unittest.main()
