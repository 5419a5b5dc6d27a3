#!/usr/bin/env python3
"""The layer check itself: each kind of violation is found, and a tree that follows its map is passed."""
import pathlib
import tempfile
import unittest

import check_layers

LAYERS = {
    "modules": {
        "lib/base": {"may_include": []},
        "src/bus": {"may_include": ["lib/base"]},
        "src/api": {"may_include": ["lib/base", "src/bus"]},
        "src/app": {"may_include": ["*"]},
    },
    "back_ends": {"prefixes": ["embedded_"]},
    "clients": {"rocksdb/": ["embedded_"]},
}


class CheckLayers(unittest.TestCase):
    def problems(self, files):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in files.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text, encoding="utf-8")
            return [*check_layers.check_order(LAYERS), *check_layers.check_cmake(root, LAYERS),
                    *check_layers.check_sources(root, LAYERS)]

    def test_a_tree_that_follows_its_map_is_passed(self):
        self.assertEqual([], self.problems({
            "src/api/a.cpp": '#include "bus/bus.h"\n',
            "src/bus/embedded_bus.cpp": "#include <rocksdb/db.h>\n",
            "src/app/main.cpp": '#include "bus/embedded_bus.h"\n',
        }))

    def test_an_include_against_the_flow_is_found(self):
        self.assertIn("may not include src/api", self.problems({"src/bus/b.cpp": '#include "api/a.h"\n'})[0])

    def test_a_folder_off_the_map_is_found(self):
        self.assertIn("not on the map", self.problems({"src/misc/x.cpp": ""})[0])

    def test_a_back_end_header_outside_app_is_found(self):
        self.assertIn("back end", self.problems({"src/api/a.cpp": '#include "bus/embedded_bus.h"\n'})[0])

    def test_a_client_header_outside_its_back_end_is_found(self):
        self.assertIn("rocksdb", self.problems({"src/bus/bus.cpp": "#include <rocksdb/db.h>\n"})[0])

    def test_a_cmake_dependency_that_is_not_allowed_is_found(self):
        self.assertIn("DEPENDS api", self.problems({"src/bus/CMakeLists.txt": "muster_module(bus DEPENDS base api)\n"})[0])

    def test_a_header_without_pragma_once_is_found(self):
        self.assertIn("#pragma once", self.problems({"src/bus/bus.h": ""})[0])

    def test_a_map_out_of_order_is_found(self):
        layers = {"modules": {"a": {"may_include": ["b"]}, "b": {"may_include": []}}}
        self.assertIn("does not stand above it", next(check_layers.check_order(layers)))


if __name__ == "__main__":
    unittest.main()
