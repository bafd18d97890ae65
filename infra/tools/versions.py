#!/usr/bin/env python3
"""Expands changed copies of the template, to see which changes publish versions of functions.

    python infra/tools/versions.py infra/template.yaml

A machine names versions, so a change that publishes none does not reach it. And a version that is published though
nothing that it holds has changed is refused by Lambda in the middle of a deployment ("A version for this Lambda
function exists").
"""

import pathlib
import sys
import tempfile

from expand import expand

# What is changed: a text of the template, what stands there then, and of how many functions that publishes a version.
EVERY = None
CHANGES = [
    ("    Timeout: 60\n", "    Timeout: 61\n", EVERY),
    ("        RUST_LOG: info\n", "        RUST_LOG: debug\n", EVERY),
    ("      MemorySize: 512\n", "      MemorySize: 1024\n", 3),
    ("      Description: Writes the final record and frees the locks.\n", "      Description: Another.\n", 1),
    # None of these is held by a version.
    ("    RollBack: { Reserved: 20 }\n", "    RollBack: { Reserved: 30 }\n", 0),
    (
        '  ReserveConcurrency:\n    Type: String\n    Default: "yes"\n',
        '  ReserveConcurrency:\n    Type: String\n    Default: "no"\n',
        0,
    ),
    (
        "        MaximumEventAgeInSeconds: 3600\n        MaximumRetryAttempts: 2\n",
        "        MaximumEventAgeInSeconds: 60\n        MaximumRetryAttempts: 2\n",
        0,
    ),
    ("    Default: 90\n", "    Default: 30\n", 0),
]


def versions(text, definitions):
    """The logical names of the versions; each holds a hash of what it was made from."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "statemachine").symlink_to(definitions)
        (folder / "infra").mkdir()
        template = folder / "infra/template.yaml"
        template.write_text(text, encoding="utf-8")
        resources = expand(template)["Resources"]
    return {name for name, resource in resources.items() if resource["Type"] == "AWS::Lambda::Version"}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    template = pathlib.Path(sys.argv[1]).resolve()
    text, definitions = template.read_text(encoding="utf-8"), template.parent.parent / "statemachine"
    before, wrong = versions(text, definitions), []
    for old, new, expected in CHANGES:
        if old not in text:
            wrong.append(f"the template has no {old!r}")
            continue
        published = len(versions(text.replace(old, new), definitions) - before)
        expected = len(before) if expected is EVERY else expected
        if published != expected:
            wrong.append(
                f"{old.strip()!r} to {new.strip()!r}: expected new versions of {expected} functions, found {published}"
            )
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{len(CHANGES)} changes of the template publish the versions they have to")


if __name__ == "__main__":
    main()
