"""The layout of the engine: the order of its folders as pipeline/README.md has it, and what each may include and link."""

import os
import pathlib
import re
import subprocess
import unittest

BINARY = pathlib.Path(os.environ["SATDL_BINARY_DIR"])
SOURCE = pathlib.Path(os.environ["SATDL_SOURCE_DIR"])
PIPELINE = SOURCE / "pipeline"

# How each library of the README's table is included.
HEADERS = {
    "libcrypto": r"openssl/",
    "oneTBB": r"(oneapi/)?tbb/",
    "libdl": r"dlfcn\.h",
    "yaml-cpp": r"yaml-cpp/",
    "nlohmann-json": r"nlohmann/",
    "libcurl": r"curl/",
    "libarchive": r"archive(_entry)?\.h",
    "HDF5": r"(hdf5|H5\w*)\.h",
    "SQLite": r"sqlite3\.h",
    "spdlog": r"spdlog/",
    "zlib": r"zlib\.h",
    "libpng": r"png\.h",
    "libjpeg": r"j(peglib|error)\.h",
}
NEVER = r"torch/|ATen/|c10/|CLI/|stages/|commands/|report/"


def table():
    """Folder -> its outside libraries, lowest first, from the README. `stage.h` stands for the two files above the folders."""
    rows = re.findall(r"^\| `([\w.]+)/?` \|[^|]*\|([^|]*)\|$", (PIPELINE / "README.md").read_text(), re.M)
    return {name: [library.strip() for library in libraries.split(",") if library.strip()] for name, libraries in rows}


def folder(path):
    """Of a file or of a header as it is included: "store", or "stage.h" for what lies above the folders."""
    parts = pathlib.PurePath(path).parts
    return parts[1] if len(parts) > 2 else "stage.h"


def includes(path):
    return re.findall(r'^\s*#\s*include\s*[<"]([^">]+)[">]', path.read_text(), re.M)


def sources(*folders):
    return sorted(path for name in folders for path in (SOURCE / name).rglob("*") if path.suffix in (".h", ".cpp"))


class Layout(unittest.TestCase):
    def setUp(self):
        self.libraries = table()
        self.order = {name: position for position, name in enumerate(self.libraries)}
        self.files = [path for path in sources("pipeline") if path.name != "precompiled.h"]

    def test_the_table_names_every_folder(self):
        self.assertEqual({path.name for path in PIPELINE.iterdir() if path.is_dir()} | {"stage.h"}, set(self.libraries))

    def test_a_folder_includes_only_downward(self):
        for path in self.files:
            here = folder(path.relative_to(SOURCE))
            for header in includes(path):
                if header.startswith("pipeline/"):
                    self.assertLessEqual(self.order[folder(header)], self.order[here], f"{path} includes {header}")

    def test_every_source_has_its_header(self):
        for path in sources("pipeline", "report"):
            if path.suffix == ".cpp" and not path.stem.endswith("_main"):
                self.assertTrue(path.with_suffix(".h").exists(), path)

    def test_a_library_is_included_only_in_the_folders_that_the_table_names(self):
        for path in self.files:
            for header in includes(path):
                self.assertIsNone(re.match(NEVER, header), f"{path} includes {header}")
                for library, pattern in HEADERS.items():
                    if re.match(pattern, header):
                        self.assertIn(library, self.libraries[folder(path.relative_to(SOURCE))], f"{path} includes {header}")

    def test_the_table_names_no_unused_library(self):
        for name, libraries in self.libraries.items():
            included = [header for path in self.files if folder(path.relative_to(SOURCE)) == name for header in includes(path)]
            for library in libraries:
                self.assertTrue(any(re.match(HEADERS[library], header) for header in included), f"{name} does not include {library}")

    def test_only_the_engine_logs_with_spdlog(self):
        for path in sources("commands", "report"):
            for header in includes(path):
                self.assertNotRegex(header, HEADERS["spdlog"], f"{path} includes {header}: print_warning() warns")

    def test_commands_in_one_folder_share_nothing_with_those_in_another(self):
        for path in sources("commands"):
            here = path.relative_to(SOURCE).parts
            for header in includes(path):
                parts = pathlib.PurePath(header).parts
                if parts[0] == "commands" and len(here) > 2:
                    self.assertIn(parts[1], (here[1], "shared"), f"{path} includes {header}")

    def test_the_programs_are_linked_with_neither_libtorch_nor_hdf5_nor_libarchive(self):
        for program in ("satdl", "satdl-manifest"):
            needed = subprocess.run(["ldd", BINARY / program], capture_output=True, text=True, check=True).stdout.lower()
            for library in ("torch", "c10", "hdf5", "archive"):
                self.assertNotIn(f"lib{library}", needed, f"{program} needs {library}")


if __name__ == "__main__":
    unittest.main()
