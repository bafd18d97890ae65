"""Checks the CI integrations offline: the GitHub action, the GitLab component, their examples and the scripts.

Also the workflow that makes a release of this repository.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[1]
BIN = pathlib.Path(sys.executable).parent
OWN = "OWNER/crossfade@COMMIT"
INPUT = r"\$\[\[ inputs\.([a-z-]+) \]\]"
# No test measures time here; this only ends what hangs.
LIMIT_SECONDS = 900


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def lint(self, program, *arguments, cwd=ROOT):
        done = subprocess.run([BIN / program, *arguments], cwd=cwd, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def check_schema(self, schema, *files):
        self.lint("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *files)


class GitHub(Case):
    def test_the_action_is_valid(self):
        self.check_schema("github-actions", "action.yml")

    def test_the_example_is_valid_and_gives_the_inputs_of_the_action(self):
        example = (ROOT / "examples/ci/github-deploy.yml").read_text()
        self.assertIn(f"uses: {OWN}", example)
        (self.folder / ".git").mkdir()  # how actionlint finds the root of a project
        (self.folder / ".github/workflows").mkdir(parents=True)
        workflow = self.folder / ".github/workflows/deploy.yml"
        # actionlint compares inputs and outputs only with an action in the same repository.
        workflow.write_text(example.replace(OWN, "./"))
        shutil.copy(ROOT / "action.yml", self.folder / "action.yml")
        self.lint("actionlint", "-no-color", workflow, cwd=self.folder)
        self.check_schema("github-workflows", workflow)


class Release(Case):
    workflows = sorted((ROOT / ".github/workflows").glob("*.yml"))

    def steps(self):
        """Returns every step of every job, with its job."""
        jobs = [job for path in self.workflows for job in yaml.safe_load(path.read_text())["jobs"].values()]
        return [(job, step) for job in jobs for step in job["steps"]]

    def test_the_workflows_are_valid(self):
        self.assertTrue(self.workflows)
        self.lint("actionlint", "-no-color", "-shellcheck", BIN / "shellcheck", *self.workflows)
        self.check_schema("github-workflows", *self.workflows)

    def test_zizmor_finds_nothing_in_the_workflows_and_the_action(self):
        self.lint("zizmor", "--offline", "--quiet", "--persona", "pedantic", *self.workflows, "action.yml")

    def test_every_action_is_pinned_by_its_commit_and_names_its_version(self):
        lines = [line for path in self.workflows for line in path.read_text().splitlines() if "uses:" in line]
        self.assertEqual(len(lines), sum("uses" in step for _, step in self.steps()))
        for line in lines:
            self.assertRegex(line, r"uses: [a-z-]+/[a-z-]+@[0-9a-f]{40} # v[0-9]+[.][0-9]+[.][0-9]+$")

    def test_only_the_job_that_runs_none_of_our_code_may_write(self):
        for path in self.workflows:
            workflow = yaml.safe_load(path.read_text())
            self.assertEqual(workflow["permissions"], {}, path)
            for name, job in workflow["jobs"].items():
                runs_ours = any("checkout" in step.get("uses", "") for step in job["steps"])
                self.assertTrue(not runs_ours or job["permissions"] == {"contents": "read"}, name)


class GitLab(Case):
    def setUp(self):
        super().setUp()
        spec, self.job = (ROOT / "templates/migrate/template.yml").read_text().split("\n---\n")
        self.inputs = yaml.safe_load(spec)["spec"]["inputs"]

    def test_the_component_uses_every_input_and_no_other(self):
        self.assertEqual(set(re.findall(INPUT, self.job)), set(self.inputs))

    def test_no_input_is_pasted_into_a_script(self):
        for job in yaml.safe_load(re.sub(INPUT, r"<input \1>", self.job)).values():
            for step in job["before_script"] + job["script"]:
                self.assertNotIn("<input ", step, "an input must reach a script as a variable")

    def test_the_example_gives_what_the_component_requires(self):
        example = yaml.safe_load((ROOT / "examples/ci/gitlab-ci.yml").read_text())
        (given,) = [include["inputs"] for include in example["include"] if "/migrate@" in include["component"]]
        required = {name for name, spec in self.inputs.items() if "default" not in (spec or {})}
        self.assertEqual(required - given.keys(), set())
        self.assertEqual(given.keys() - self.inputs.keys(), set())

    def test_component_and_example_are_valid_pipelines(self):
        # A component's second document is a pipeline once its inputs are filled in.
        pipeline = self.folder / "pipeline.yml"
        pipeline.write_text(re.sub(INPUT, "given", self.job))
        self.check_schema("gitlab-ci", pipeline, "examples/ci/gitlab-ci.yml")


EXECUTION = "arn:aws-cn:states:cn-north-1:123456789012:execution:crossfade-migrate-service:users-1"
MACHINE = "arn:aws-cn:states:cn-north-1:123456789012:stateMachine:crossfade-migrate-service"
# An `aws` that records each call and gives its next answer: an exit code and a text. The last answer repeats.
STUB = """#!/usr/bin/env python3
import json, pathlib, sys
folder = pathlib.Path(__file__).parent
with (folder / "calls").open("a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")
answers = json.loads((folder / "answers").read_text())
left = answers[sys.argv[2]]
code, text = left.pop(0) if len(left) > 1 else left[0]
(folder / "answers").write_text(json.dumps(answers))
print(text, file=sys.stderr if code else sys.stdout)
sys.exit(code)
"""
ANSWERS = {
    "get-caller-identity": [[0, "arn:aws-cn:sts::123456789012:assumed-role/deploy/ci"]],
    "start-execution": [[0, EXECUTION]],
    "get": [[1, ""]],
}
RUNNING, SUCCEEDED, UNREACHABLE = [0, "RUNNING\tNone\tNone"], [0, "SUCCEEDED\tNone\tNone"], [255, "Could not connect"]
EXPIRED = [254, "An error occurred (ExpiredTokenException) when"]
DENIED = [254, "An error occurred (AccessDeniedException) when calling the operation"]
REFUSED = json.dumps({"errorType": "InvalidRequest", "errorMessage": 'invalid request: "dryrun" is no field'})
REGION = {"AWS_DEFAULT_REGION": "cn-north-1"}


class Scripts(Case):
    def test_shellcheck_finds_nothing(self):
        self.lint("shellcheck", *sorted((ROOT / "ci").glob("*.sh")))

    def ends(
        self, code, *texts, described=(), variables=REGION, arguments=("users",), machine=MACHINE, given=None, **answers
    ):
        """Runs ci/aws-migrate.sh, and checks its exit code and that it prints these texts."""
        with self.subTest(texts):
            answers = {name.replace("_", "-"): one for name, one in answers.items()} | {"describe-execution": described}
            (self.folder / "aws").write_text(STUB)
            (self.folder / "aws").chmod(0o755)
            (self.folder / "answers").write_text(json.dumps(ANSWERS | answers))
            (self.folder / "calls").write_text("")
            environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
            environment |= {"PATH": f"{self.folder}:{os.environ['PATH']}", "POLL_SECONDS": "0", **variables}
            command = ["bash", ROOT / "ci/aws-migrate.sh", *arguments]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LIMIT_SECONDS)
            printed, calls = done.stdout + done.stderr, (self.folder / "calls").read_text()
            self.assertEqual(done.returncode, code, printed)
            for text in texts:
                self.assertIn(text, printed)
            if "start-execution" in calls:
                self.assertIn(f"--state-machine-arn {machine} ", calls)
            if given is not None:
                (start,) = [call for call in calls.splitlines() if "start-execution" in call]
                self.assertEqual(json.loads(start.split(" --input ")[1].split(" --query ")[0]), given)

    def test_each_end_has_its_exit_code(self):
        self.ends(0, "users has migrated", described=[RUNNING, SUCCEEDED])
        rolled_back = [0, "FAILED\tRolledBack\talarm users-5xx fires"]
        self.ends(3, "users: FAILED RolledBack: alarm users-5xx fires", described=[RUNNING, rolled_back])
        self.ends(7, "look", described=[[0, "FAILED\tHalted\tlook"]])
        self.ends(5, "users-3", described=[[0, "FAILED\tLockHeld\tusers-3"]])
        refused = 'users: FAILED InvalidRequest: invalid request: "dryrun" is no field'
        self.ends(2, refused, described=[[0, f"FAILED\tInvalidRequest\t{REFUSED}"]])
        self.ends(1, "ABORTED", described=[[0, "ABORTED\tNone\tNone"]])

    def test_a_poll_that_fails_is_not_a_failed_migration(self):
        self.ends(0, "users has migrated", described=[UNREACHABLE, SUCCEEDED])
        self.ends(8, "Could not connect", "the migration continues", described=[UNREACHABLE])
        self.ends(8, "ExpiredToken", f"the migration continues: {EXECUTION}", described=[RUNNING, EXPIRED])

    def test_what_the_start_needs_is_reported(self):
        self.ends(8, "AccessDenied", "start-execution failed", start_execution=[DENIED])
        missing = [253, "Unable to locate credentials"]
        self.ends(8, "Unable to locate credentials", get_caller_identity=[missing])
        self.ends(2, "no region: set AWS_REGION", variables={})
        self.ends(0, "users has migrated", variables={}, get=[[0, "cn-north-1"]], described=[SUCCEEDED])

    def test_when_the_wait_is_over_the_migration_continues(self):
        self.ends(6, "no end after 0 s", "continues", described=[RUNNING], variables=REGION | {"WAIT_SECONDS": "0"})

    def test_what_is_ignored_reaches_the_start_with_its_reason(self):
        self.ends(0, "migrated", described=[SUCCEEDED], given={"service": "users"})
        reason = 'the "old" cluster\\ is on fire'
        variables = REGION | {"IGNORE_AFTER": "true", "NOW": "true", "REASON": reason}
        given = {"service": "users", "ignoreAfter": True, "now": True, "reason": reason}
        self.ends(0, "migrated", described=[SUCCEEDED], variables=variables, given=given)
        self.ends(2, "NOW=true needs a REASON", variables=REGION | {"NOW": "true"})
        self.ends(2, "IGNORE_AFTER and NOW only", variables=REGION | {"REASON": "why"})
        self.ends(2, "expected true or false", variables=REGION | {"NOW": "yes", "REASON": "why"})
        self.ends(2, "control characters", variables=REGION | {"NOW": "true", "REASON": "a\nb"})

    def test_a_fleet_is_started_and_each_end_has_its_exit_code(self):
        fleet = {"arguments": ("--fleet", "eks-2026"), "machine": MACHINE.replace("service", "fleet")}
        variables = REGION | {"NOW": "true", "REASON": "INC-7"}
        given = {"fleet": "eks-2026", "now": True, "reason": "INC-7"}
        verdict = '[0, "SUCCEEDED\\tNone\\tNone\\t{\\"verdict\\":\\"%s\\"}"]'
        migrated, elsewhere, continued = (json.loads(verdict % word) for word in ("migrated", "elsewhere", "continued"))
        self.ends(0, "eks-2026 has migrated", described=[migrated], variables=variables, given=given, **fleet)
        self.ends(5, "another execution conducts", described=[elsewhere], **fleet)
        self.ends(6, "continues in another execution", described=[continued], **fleet)
        for code, error in [(3, "Incomplete"), (4, "Aborted"), (4, "Returned"), (7, "Stopped"), (2, "Refused")]:
            self.ends(code, f"eks-2026: FAILED {error}: why", described=[[0, f"FAILED\t{error}\twhy\tNone"]], **fleet)
        self.ends(2, "only with a service", variables=REGION | {"IGNORE_AFTER": "true", "REASON": "x"}, **fleet)

    def test_the_action_passes_its_inputs_on(self):
        (self.folder / "crossfade").write_text('#!/bin/sh\nprintf "<%s>" "$@"\n')
        (self.folder / "crossfade").chmod(0o755)

        def runs(code, expected, **inputs):
            given = {"STACK": "crossfade", "TIMEOUT": "4h", "CROSSFADE": str(self.folder / "crossfade")} | inputs
            environment = {"PATH": os.environ["PATH"]} | {f"INPUT_{name}": value for name, value in given.items()}
            command = ["bash", ROOT / "ci/github-migrate.sh"]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LIMIT_SECONDS)
            self.assertEqual(done.returncode, code, done.stdout + done.stderr)
            self.assertIn(expected, done.stdout)

        always = "<--wait><--output><github><--stack><crossfade><--timeout><4h>"
        runs(0, f"<start>{always}<--><users>", SERVICE="users", IGNORE_AFTER="false", NOW="false")
        ignoring = "<--ignore-after><--now><--reason><in a hurry><--><users>"
        runs(0, always + ignoring, SERVICE="users", IGNORE_AFTER="true", NOW="true", REASON="in a hurry")
        runs(0, f"<fleet><start>{always}<--now><--reason><x><--><eks>", FLEET="eks", NOW="true", REASON="x")
        runs(0, f"<start>{always}<--probe-from-here><--><users>", SERVICE="users", PROBE_FROM_HERE="true")
        runs(2, "a function sends the probes of a fleet", FLEET="eks", PROBE_FROM_HERE="true")
        runs(2, "service is missing")
        runs(2, "exclude each other", SERVICE="users", FLEET="eks")
        runs(2, "a fleet keeps its order", FLEET="eks", IGNORE_AFTER="true", REASON="x")
        runs(2, "expected true or false", SERVICE="users", NOW="yes")

    def test_arguments_are_checked(self):
        self.ends(2, "not the name of a service", arguments=('users", "dryRun": true, "x": "',))
        self.ends(2, "usage", arguments=())
