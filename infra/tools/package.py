#!/usr/bin/env python3
"""Makes dist/: all that a machine without Rust needs to deploy the stack and to move services.

    python3 infra/tools/package.py [--profile release|dev] [--only command|stack] [--tag v1.2.3]

`release`, the default, builds the command for this machine and the functions for Lambda on arm64. `dev` packages an
unoptimised build for this machine, which the tests deploy. `--only` makes one half of it, and `--tag` fails unless it
is the version's. The same binaries give the same bytes again.

    crossfade-<version>-<target>.tar.gz   the command, with its licences and its SBOM
    template.yaml                         infra/template.yaml, with the paths of what is packaged
    functions/<name>.zip                  what Lambda runs
    statemachine/<name>.asl.json          the state machines
    LICENSE, THIRD-PARTY-LICENSES.txt     the licences of all that is linked
    crossfade.cdx.json                    the SBOM: what is linked, in CycloneDX's format
    SHA256SUMS                            written last; `deploy.py deploy --from dist` checks it

Python 3.11 or newer and Rust are enough. `release` also needs what `deploy.py build` needs.
"""

import argparse
import concurrent.futures
import gzip
import io
import json
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import uuid
import zipfile

import deploy

ROOT = deploy.ROOT
DIST = ROOT / "dist"
COMMAND = "crossfade-cli"
# This machine's architecture, in Lambda's words.
ARCHITECTURE = {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")
# How much time compression may take: the tests wait for theirs.
EFFORT = {"dev": 1, "release": 9}
BOM, NOTICES = "crossfade.cdx.json", "THIRD-PARTY-LICENSES.txt"
SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"
# What a crate calls the files that its licence asks to pass on.
LICENCE_FILE = re.compile(r"(un)?licen[cs]es?|copying|copyright|notice", re.IGNORECASE)
# The standard library is linked into every binary, and no manifest names it.
STANDARD_LIBRARY = "rust-standard-library"


def printed(*command):
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def toolchain():
    """Returns the compiler's version and this machine's target."""
    fields = dict(line.split(": ", 1) for line in printed("rustc", "-vV").splitlines() if ": " in line)
    return fields["release"], fields["host"]


# --- What is linked ---------------------------------------------------------------------------------------------------


def linked(tree):
    """Returns each package of a `cargo tree --prefix depth` with what it depends on. `tree` has a line for each.

    Cargo prints what is below a package once, and marks the package with (*) where it comes again.
    """
    edges, path = {}, []
    for line in filter(None, tree.splitlines()):
        depth, name, version = re.match(r"(\d+) (\S+) v(\S+)", line).groups()
        package = (name, version)
        edges.setdefault(package, set())
        path[int(depth) :] = [package]
        if len(path) > 1:
            edges[path[-2]].add(package)
    return edges


def linked_into(packages, target):
    arguments = ["--edges", "normal,no-proc-macro", "--target", target, "--prefix", "depth", "--format", " {p}"]
    chosen = [argument for name in packages for argument in ("--package", name)]
    return linked(printed("cargo", "tree", "--locked", *arguments, *chosen))


def described(targets):
    """Returns what Cargo knows of each package that these targets may need, by name and version."""
    found = {}
    for target in targets:
        text = printed("cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target)
        found |= {(one["name"], one["version"]): one for one in json.loads(text)["packages"]}
    for one in tomllib.loads((ROOT / "Cargo.lock").read_text(encoding="utf-8"))["package"]:
        if (one["name"], one["version"]) in found:
            found[one["name"], one["version"]]["checksum"] = one.get("checksum")
    return found


def expression(package):
    """Returns the licence as SPDX writes it. Old manifests separate alternatives by a slash."""
    return re.sub(r"\s*/\s*", " OR ", package["license"] or f"LicenseRef-{package['license_file']}")


def bill(version, rust, edges, packages, roots):
    """Returns the SBOM, without a date: the same dependencies give the same bytes."""
    product = {"type": "application", "bom-ref": f"crossfade@{version}", "name": "crossfade", "version": version}
    standard = {
        "type": "library",
        "bom-ref": f"{STANDARD_LIBRARY}@{rust}",
        "name": STANDARD_LIBRARY,
        "version": rust,
        "licenses": [{"expression": "MIT OR Apache-2.0"}],
        "externalReferences": [{"type": "vcs", "url": "https://github.com/rust-lang/rust"}],
    }
    components, references = [], {}
    for name, number in sorted(edges):
        package = packages[name, number]
        is_ours = package["source"] is None
        reference = f"{name}@{number}" if is_ours else f"pkg:cargo/{name}@{number}"
        references[name, number] = reference
        component = {
            "type": "application" if name in roots else "library",
            "bom-ref": reference,
            "name": name,
            "version": number,
            "licenses": [{"expression": expression(package)}],
        }
        if package["description"]:
            component["description"] = " ".join(package["description"].split())
        if not is_ours:
            component["purl"] = reference
            component["hashes"] = [{"alg": "SHA-256", "content": package["checksum"]}]
        if package["repository"]:
            component["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
        components.append(component)
    depends = {product["bom-ref"]: [reference for (name, _), reference in references.items() if name in roots]}
    for package, needed in edges.items():
        also = [standard["bom-ref"]] if package[0] in roots else []
        depends[references[package]] = [*(references[one] for one in needed), *also]
    content = {
        "metadata": {"component": product | {"licenses": [{"expression": "Apache-2.0"}]}},
        "components": [*components, standard],
        "dependencies": [{"ref": ref, "dependsOn": sorted(needed)} for ref, needed in sorted(depends.items())],
    }
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(content, sort_keys=True))
    header = {"$schema": SCHEMA, "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1}
    header["serialNumber"] = f"urn:uuid:{serial}"
    return json.dumps(header | content, indent=1, ensure_ascii=False) + "\n"


# --- Licences ---------------------------------------------------------------------------------------------------------


def licence_texts(package):
    """Returns the texts that a crate ships with its licence, in the order of the files' names."""
    folder = pathlib.Path(package["manifest_path"]).parent
    files = [path for path in folder.iterdir() if LICENCE_FILE.match(path.name)]
    files += [folder / package["license_file"]] if package["license_file"] else []
    inside = [path for one in files if one.is_dir() for path in one.iterdir()]
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in sorted({*files, *inside}) if path.is_file()]
    return [text.strip("\n") for text in texts]


def notices(edges, packages, rust):
    """Returns the licences of all that is linked and not ours. A text that several crates ship is there once."""
    others = [packages[one] for one in sorted(edges) if packages[one]["source"] is not None]
    texts, without, lines = {}, [], []
    for package in others:
        label = f"{package['name']} {package['version']}"
        lines.append("; ".join(filter(None, [f"{label}: {expression(package)}", package["repository"]])))
        found = licence_texts(package)
        for text in found:
            # Copies of one text differ in how they break its lines.
            texts.setdefault(" ".join(text.split()), (text, []))[1].append(label)
        if not found:
            without.append(f"{label}: {expression(package)}; by {', '.join(package['authors']) or 'its contributors'}")
    library = pathlib.Path(printed("rustc", "--print", "sysroot").strip()) / "share/doc/rust/COPYRIGHT-library.html"
    standard = library.read_text(encoding="utf-8").strip() if library.is_file() else ""
    parts = [
        "Crossfade is licensed under the Apache License 2.0; its text is in LICENSE. It links the packages below.\n"
        "Where a licence has alternatives, Crossfade takes Apache-2.0 if it is one of them.",
        "\n".join([f"Rust's standard library {rust}: MIT OR Apache-2.0; https://github.com/rust-lang/rust", *lines]),
        "These ship no text of their own. The texts of their licences are in LICENSE and below.\n" + "\n".join(without),
        *(f"{', '.join(users)}:\n\n{text}" for text, users in texts.values()),
        standard and f"Rust's standard library {rust}:\n\n{standard}",
    ]
    return f"\n\n{'=' * 120}\n".join(filter(None, parts)) + "\n"


# --- Archives ---------------------------------------------------------------------------------------------------------


def zipped(binary, effort):
    """Returns a function's package: Lambda starts the file `bootstrap` in it. It has no date, so it stays the same."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        entry = zipfile.ZipInfo("bootstrap")
        entry.create_system, entry.external_attr, entry.compress_type = 3, 0o100755 << 16, zipfile.ZIP_DEFLATED
        archive.writestr(entry, binary, compresslevel=effort)
    return content.getvalue()


def tarred(folder, files, effort):
    """Returns an archive of one folder. `files` has the mode and the content of each by its name."""
    content = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=content, filename="", mode="wb", compresslevel=effort, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name, (mode, data) in sorted(files.items()):
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.mode, entry.size = mode, len(data)
            archive.addfile(entry, io.BytesIO(data))
    return content.getvalue()


def packaged_template(text, names, architecture):
    """Returns the template with the paths of the packages instead of what SAM builds them from."""
    metadata = r"    Metadata:\n      BuildMethod: rust-cargolambda\n      BuildProperties:\n        Binary: (\S+)\n"
    binary = metadata + r"    Properties:\n"
    found = re.findall(binary, text)
    if sorted(found) != sorted(names):
        sys.exit(f"infra/template.yaml: expected a function for each of {sorted(names)}, found {sorted(found)}")
    text = re.sub(binary, r"    Properties:\n      CodeUri: functions/\1.zip\n", text)
    for pattern, replacement in {
        r"    # The workspace's root\..*\n    CodeUri: \.\.\n": "",
        r"    Architectures: \[arm64\]\n": f"    Architectures: [{architecture}]\n",
        r"DefinitionUri: \.\./statemachine/": "DefinitionUri: statemachine/",
    }.items():
        text, count = re.subn(pattern, replacement, text)
        if not count:
            sys.exit(f"infra/template.yaml: expected a line like {pattern}")
    return text


def write_sums(dist):
    """Writes the checksums of all files, as `sha256sum` does."""
    files = sorted(path for path in dist.rglob("*") if path.is_file() and path.name != deploy.SUMS)
    lines = [f"{deploy.sha256(path)}  {path.relative_to(dist).as_posix()}\n" for path in files]
    (dist / deploy.SUMS).write_text("".join(lines), encoding="utf-8")


# --- All of it --------------------------------------------------------------------------------------------------------


def build(profile, parts):
    """Builds what is packaged; returns where the command is, and a folder's name and a file's for the functions."""
    cargo = ["cargo", "build", "--locked"]
    if profile == "dev":
        # As the tests build it, so that nothing is built twice.
        subprocess.run([*cargo, "--workspace", "--bins"], cwd=ROOT, check=True)
        binaries = ROOT / "target/debug"
        return binaries / "crossfade", {name: binaries / name for name in deploy.functions()}
    if "command" in parts:
        subprocess.run([*cargo, "--release", "--package", COMMAND], cwd=ROOT, check=True)
    if "stack" in parts:
        deploy.build()
    functions = {name: ROOT / "target/lambda" / name / "bootstrap" for name in deploy.functions()}
    return ROOT / "target/release/crossfade", functions


def package(profile, parts, dist=DIST):
    rust, host = toolchain()
    command, functions = build(profile, parts)
    roots = {"command": [COMMAND], "stack": list(functions)}
    targets = {"command": host, "stack": host if profile == "dev" else deploy.TARGET}
    edges = {}
    for part in parts:
        for one, needed in linked_into(roots[part], targets[part]).items():
            edges.setdefault(one, set()).update(needed)
    packages = described({targets[part] for part in parts})
    (version,) = {number for name, number in edges if name in roots[parts[0]]}
    about = {
        "LICENSE": (ROOT / "LICENSE").read_text(encoding="utf-8"),
        NOTICES: notices(edges, packages, rust),
        BOM: bill(version, rust, edges, packages, {name for part in parts for name in roots[part]}),
    }
    shutil.rmtree(dist, ignore_errors=True)
    dist.mkdir()
    for name, text in about.items():
        (dist / name).write_text(text, encoding="utf-8")
    if "command" in parts:
        name = f"crossfade-{version}-{host}"
        files = {one: (0o644, text.encode()) for one, text in about.items()}
        files |= {"crossfade": (0o755, command.read_bytes())}
        (dist / f"{name}.tar.gz").write_bytes(tarred(name, files, EFFORT[profile]))
    if "stack" in parts:
        for name in ("functions", "statemachine"):
            (dist / name).mkdir()
        # Compression leaves Python free, so two cores need half the time.
        with concurrent.futures.ThreadPoolExecutor(max_workers=2) as threads:
            zips = threads.map(lambda binary: zipped(binary.read_bytes(), EFFORT[profile]), functions.values())
            for name, content in zip(functions, zips, strict=True):
                (dist / f"functions/{name}.zip").write_bytes(content)
        for machine in (ROOT / "statemachine").glob("*.asl.json"):
            shutil.copyfile(machine, dist / "statemachine" / machine.name)
        text = deploy.TEMPLATE.read_text(encoding="utf-8")
        architecture = ARCHITECTURE if profile == "dev" else "arm64"
        (dist / deploy.PACKAGED).write_text(packaged_template(text, functions, architecture), encoding="utf-8")
    write_sums(dist)
    for path in sorted(path for path in dist.rglob("*") if path.is_file()):
        print(f"{path.stat().st_size / 1e6:7.2f} MB  {path.relative_to(dist.parent)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", choices=["release", "dev"], default="release")
    parser.add_argument("--only", choices=["command", "stack"])
    parser.add_argument("--tag", help="the tag that is released")
    arguments = parser.parse_args()
    parts = [arguments.only] if arguments.only else ["command", "stack"]
    missing = deploy.missing_for_build() if arguments.profile == "release" and "stack" in parts else []
    manifest = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))
    expected = f"v{manifest['workspace']['package']['version']}"
    if arguments.tag not in (None, expected):
        missing.append(f"a tag for the version in Cargo.toml: expected {expected}, found {arguments.tag}")
    if not deploy.report("cannot package", missing):
        return 2
    package(arguments.profile, parts)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(error.cmd[:3])} failed with exit code {error.returncode}\n{error.stderr or ''}".strip())
