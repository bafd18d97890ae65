#!/usr/bin/env python3
"""Lints the CI integrations: the GitHub action and its example, the GitLab component and its example, the scripts.

Offline. The example's `uses: OWNER/crossfade@COMMIT` is checked as `uses: ./` in a copy, so that actionlint holds its
inputs and outputs against action.yml.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(sys.executable).parent
OWN = "OWNER/crossfade@COMMIT"
problems = []


def run(*command, cwd=ROOT):
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True)
    if done.returncode != 0:
        problems.append(f"{' '.join(str(part) for part in command)}\n{done.stdout}{done.stderr}")


def github():
    run(BIN / "check-jsonschema", "--builtin-schema", "vendor.github-actions", "action.yml")
    example = (ROOT / "examples/ci/github-deploy.yml").read_text()
    if f"uses: {OWN}" not in example:
        problems.append(f"examples/ci/github-deploy.yml: expected a step that uses {OWN}")
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder)
        (copy / ".git").mkdir()  # how actionlint finds the root of a project
        (copy / ".github/workflows").mkdir(parents=True)
        workflow = copy / ".github/workflows/deploy.yml"
        workflow.write_text(example.replace(OWN, "./"))
        shutil.copy(ROOT / "action.yml", copy / "action.yml")
        run(BIN / "actionlint", "-no-color", workflow, cwd=copy)
        run(BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", workflow)


def gitlab():
    name = "templates/migrate/template.yml"
    spec, job = (ROOT / name).read_text().split("\n---\n")
    declared = yaml.safe_load(spec)["spec"]["inputs"]
    used = set(re.findall(r"\$\[\[ inputs\.([a-z-]+) \]\]", job))
    if used != set(declared):
        problems.append(f"{name}: declared {sorted(declared)}, used {sorted(used)}")
    marked = yaml.safe_load(re.sub(r"\$\[\[ inputs\.([a-z-]+) \]\]", r"<input \1>", job))
    for part in marked.values():
        pasted = [step for step in part["before_script"] + part["script"] if "<input " in step]
        problems.extend(
            f"{name}: an input reaches a script as its text and not as a variable: {step}" for step in pasted
        )
    example = yaml.safe_load((ROOT / "examples/ci/gitlab-ci.yml").read_text())
    given = next(include for include in example["include"] if "/migrate@" in include["component"])["inputs"]
    required = {name for name, spec in declared.items() if "default" not in (spec or {})}
    if not required <= set(given) <= set(declared):
        problems.append(
            f"examples/ci/gitlab-ci.yml: gives {sorted(given)}, required {sorted(required)}, known {sorted(declared)}"
        )
    with tempfile.TemporaryDirectory() as folder:
        # A component's second document is a pipeline once its inputs are there.
        pipeline = pathlib.Path(folder) / "pipeline.yml"
        pipeline.write_text(re.sub(r"\$\[\[ inputs\.[a-z-]+ \]\]", "given", job))
        for file in (pipeline, ROOT / "examples/ci/gitlab-ci.yml"):
            run(BIN / "check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", file)


def scripts():
    for file in sorted((ROOT / "ci").glob("*.sh")):
        run(BIN / "shellcheck", file)


github()
gitlab()
scripts()
print("\n".join(problems) if problems else "action, component, examples and scripts are right")
sys.exit(1 if problems else 0)
