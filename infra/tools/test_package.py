"""Checks what package.py makes, without building anything."""

import collections
import gzip
import hashlib
import io
import json
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

import deploy
import package

ROOT = pathlib.Path(__file__).resolve().parents[2]
TREE = """\
0 ours v0.1.0 (/src/ours)
1 sdk v1.2.0
2 http v1.0.0+build
1 http v1.0.0+build
0 shift v0.1.0 (/src/shift)
1 ours v0.1.0 (/src/ours) (*)
"""


class Linked(unittest.TestCase):
    def test_a_tree_is_read_with_what_every_package_depends_on(self):
        ours, shift, sdk, http = ("ours", "0.1.0"), ("shift", "0.1.0"), ("sdk", "1.2.0"), ("http", "1.0.0+build")
        self.assertEqual(package.linked(TREE), {ours: {sdk, http}, sdk: {http}, http: set(), shift: {ours}})

    def test_the_sbom_has_what_is_linked_and_is_valid(self):
        rust, host = package.toolchain()
        edges = package.linked_into([package.COMMAND, "shift-weight"], host)
        packages = package.described({host})
        roots = {package.COMMAND, "shift-weight"}
        text = package.bill("0.1.0", rust, edges, packages, roots)
        self.assertIsNone(JsonStrictValidator(SchemaVersion.V1_6).validate_str(text))
        self.assertEqual(text, package.bill("0.1.0", rust, edges, packages, roots))
        bom = json.loads(text)
        names = {one["name"]: one for one in bom["components"]}
        self.assertLessEqual({"serde_json", "ring", "lambda_runtime", "rust-standard-library", *roots}, names.keys())
        # What only tests, macros and builds need is in no binary.
        self.assertEqual({"insta", "proptest", "syn", "cc"} & names.keys(), set())
        self.assertEqual(names["shift-weight"]["type"], "application")
        self.assertTrue(all("hashes" in one for one in bom["components"] if "purl" in one))
        references = {one["bom-ref"] for one in bom["components"]}
        for entry in bom["dependencies"]:
            self.assertLessEqual(set(entry["dependsOn"]), references, entry["ref"])
        notices = package.notices(edges, packages, rust)
        for name, version in edges:
            if packages[name, version]["source"]:
                self.assertIn(f"\n{name} {version}: ", notices)


class Notices(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def crate(self, name, files, **fields):
        folder = self.folder / name
        folder.mkdir()
        for file, text in files.items():
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).write_text(text)
        given = {"license": "MIT/Apache-2.0", "license_file": None, "repository": None, "authors": ["Ann"]}
        given |= {"name": name, "version": "1.0.0", "source": "registry", "manifest_path": folder / "Cargo.toml"}
        return given | fields

    def test_a_text_of_several_crates_is_there_once_and_a_crate_without_text_is_named(self):
        crates = [
            self.crate("a", {"LICENSE-MIT": "may be\nused", "README.md": "not this"}),
            self.crate("b", {"LICENCE": "may be used\n", "NOTICE": "thanks"}),
            self.crate("c", {}, repository="https://example.com/c"),
            self.crate("d", {"LICENSES/one": "in a folder"}),
            self.crate("e", {"TERMS": "named by the manifest"}, license=None, license_file="TERMS"),
        ]
        packages = {(one["name"], one["version"]): one for one in crates}
        packages["ours", "0.1.0"] = {"source": None}
        edges = dict.fromkeys(packages, set())
        text = package.notices(edges, packages, "1.0.0")
        for part in [
            "a 1.0.0, b 1.0.0:\n\nmay be\nused\n",
            "b 1.0.0:\n\nthanks",
            "d 1.0.0:\n\nin a folder",
            "e 1.0.0:\n\nnamed by the manifest",
            "c 1.0.0: MIT OR Apache-2.0; https://example.com/c\n",
            "c 1.0.0: MIT OR Apache-2.0; by Ann\n",
            "e 1.0.0: LicenseRef-TERMS\n",
        ]:
            self.assertEqual(text.count(part), 1, part)
        self.assertNotIn("not this", text)
        self.assertNotIn("ours", text)


class Archives(unittest.TestCase):
    def test_the_same_program_gives_the_same_zip_which_lambda_can_start(self):
        first = package.zipped(b"program", 9)
        self.assertEqual(first, package.zipped(b"program", 9))
        (entry,) = zipfile.ZipFile(io.BytesIO(first)).infolist()
        self.assertEqual((entry.filename, entry.external_attr >> 16), ("bootstrap", 0o100755))

    def test_the_same_files_give_the_same_archive(self):
        files = {"crossfade": (0o755, b"program"), "LICENSE": (0o644, b"text")}
        first = package.tarred("crossfade-1", files, 9)
        self.assertEqual(first, package.tarred("crossfade-1", dict(reversed(files.items())), 9))
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(first))) as archive:
            found = [(one.name, one.mode, one.mtime, one.uid) for one in archive.getmembers()]
        self.assertEqual(found, [("crossfade-1/LICENSE", 0o644, 0, 0), ("crossfade-1/crossfade", 0o755, 0, 0)])

    def test_sha256sum_accepts_the_checksums(self):
        with tempfile.TemporaryDirectory() as folder:
            dist = pathlib.Path(folder)
            (dist / "functions").mkdir()
            (dist / "functions/a.zip").write_bytes(b"a")
            (dist / "LICENSE").write_bytes(b"b")
            package.write_sums(dist)
            digests = [hashlib.sha256(one).hexdigest() for one in (b"b", b"a")]
            expected = f"{digests[0]}  LICENSE\n{digests[1]}  functions/a.zip\n"
            self.assertEqual((dist / deploy.SUMS).read_text(), expected)
            subprocess.run(["sha256sum", "--check", "--strict", "--quiet", deploy.SUMS], cwd=dist, check=True)


class Template(unittest.TestCase):
    def test_the_template_names_the_packages_and_is_otherwise_the_same(self):
        text = deploy.TEMPLATE.read_text()
        names = deploy.functions()
        packaged = package.packaged_template(text, names, "x86_64")
        before, after = (collections.Counter(one.splitlines()) for one in (text, packaged))
        machines = [path.name for path in (ROOT / "statemachine").glob("*.asl.json")]
        added = ["    Architectures: [x86_64]"]
        added += [f"      CodeUri: functions/{name}.zip" for name in names]
        added += [f"      DefinitionUri: statemachine/{name}" for name in machines]
        self.assertEqual(after - before, collections.Counter(added))
        removed = ["    Architectures: [arm64]", "    CodeUri: .."]
        removed += ["    # The workspace's root. The name of the binary selects the function."]
        removed += [f"      DefinitionUri: ../statemachine/{name}" for name in machines]
        for name in names:
            removed += ["    Metadata:", "      BuildMethod: rust-cargolambda", "      BuildProperties:"]
            removed += [f"        Binary: {name}"]
        self.assertEqual(before - after, collections.Counter(removed))

    def test_a_function_that_the_template_does_not_name_is_an_error(self):
        with self.assertRaisesRegex(SystemExit, "shift-nothing"):
            package.packaged_template(deploy.TEMPLATE.read_text(), [*deploy.functions(), "shift-nothing"], "arm64")


class Arguments(unittest.TestCase):
    def test_a_tag_that_is_not_the_version_packages_nothing(self):
        command = [sys.executable, package.__file__, "--only", "command", "--tag", "v99.0.0"]
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("a tag for the version in Cargo.toml: expected v", done.stderr)
