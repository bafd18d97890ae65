"""Checks what deploy.py reports before it begins, with answers like AWS's."""

import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from botocore.exceptions import ClientError

import deploy
import package


class Account:
    """Answers every operation from a list; a text is an error with this code."""

    def __init__(self, answers):
        self.answers = answers

    def __call__(self, service):
        return self

    def __getattr__(self, operation):
        def call(**_):
            answer = self.answers.get(operation, "AccessDenied")
            if isinstance(answer, str):
                raise ClientError({"Error": {"Code": answer, "Message": "no"}}, operation)
            return answer

        return call


def account(free=1000, stack="ValidationError", table="ResourceNotFoundException"):
    limits = {"AccountLimit": {"UnreservedConcurrentExecutions": free}}
    status = stack if stack == "ValidationError" else {"Stacks": [{"StackStatus": stack}]}
    return {"describe_stacks": status, "describe_table": table, "get_account_settings": limits}


class Deploy(unittest.TestCase):
    def blocked(self, answers, expected, *parameters):
        blockers = deploy.blockers(Account(answers), "blue", parameters)
        self.assertEqual([text[: len(begin)] for text, begin in zip(blockers, expected, strict=True)], expected)

    def test_a_new_stack_needs_concurrency_to_reserve(self):
        self.blocked(account(), [])
        self.blocked(account(free=142), [])
        self.blocked(account(free=141), ["concurrency to reserve: the account has 141"])
        self.blocked(account(free=10), [], "ReserveConcurrency=no")

    def test_a_table_of_an_earlier_stack_is_in_the_way(self):
        self.blocked(account(free=10, table={"Table": {}}), ["the name blue for the table", "concurrency"])

    def test_a_stack_that_was_never_created_is_deleted_first(self):
        self.blocked(account(stack="ROLLBACK_COMPLETE"), ["a stack that can be updated"])

    def test_an_update_already_has_its_table_and_concurrency(self):
        self.blocked(account(free=10, stack="UPDATE_COMPLETE", table={"Table": {}}), [])

    def test_what_the_caller_may_not_read_blocks_nothing(self):
        self.blocked({}, [])

    def test_one_message_has_everything_that_is_missing(self):
        with tempfile.TemporaryDirectory() as home:
            environment = {"PATH": os.devnull, "HOME": home}
            command = [sys.executable, "-S", pathlib.Path(deploy.__file__), "deploy", "--stack", "1x", "wrong"]
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, 2, done.stderr)
        for part in ["Rust", "name for the stack", "'wrong'", "a region", "credentials"]:
            self.assertIn(part, done.stderr)


class Packages(unittest.TestCase):
    def setUp(self):
        self.dist = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / "dist"
        self.dist.mkdir()
        for name in ("a", "b", "c"):
            (self.dist / f"{name}.zip").write_text(name)
        uris = "".join(f"      CodeUri: {name}.zip\n" for name in ("a", "b", "c"))
        (self.dist / "template.yaml").write_text(f"Resources:\n{uris}")
        package.write_sums(self.dist)

    def check(self, *expected):
        missing = deploy.missing_in(self.dist)
        self.assertEqual(len(missing), len(expected) + bool(expected), missing)
        for text, part in zip(missing, expected):
            self.assertIn(part, text)

    def test_packages_as_they_were_made_are_complete(self):
        self.check()

    def test_every_file_that_is_missing_or_differs_is_named(self):
        (self.dist / "a.zip").unlink()
        (self.dist / "b.zip").write_text("other")
        with (self.dist / "SHA256SUMS").open("a") as sums:
            sums.write("half a li")
        digest = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("b", "other")}
        self.check(
            "a.zip: No such file",
            f"b.zip as it was packaged: expected SHA-256 {digest['b']}, found {digest['other']}",
            "SHA256SUMS, line 5: expected a SHA-256 and a file, found 'half a li'",
        )

    def test_a_package_without_a_checksum_is_named(self):
        sums = self.dist / "SHA256SUMS"
        lines = sums.read_text().splitlines(keepends=True)
        sums.write_text("".join(line for line in lines if "b.zip" not in line and "template" not in line))
        self.check("the checksum of b.zip in SHA256SUMS", "the checksum of template.yaml in SHA256SUMS")

    def test_a_folder_without_packages_says_how_to_make_them(self):
        (self.dist / "SHA256SUMS").unlink()
        (only,) = deploy.missing_in(self.dist)
        self.assertIn("run `just package`", only)

    def runs(self, *arguments):
        environment = {"PATH": os.devnull, "HOME": str(self.dist)}
        command = [sys.executable, "-S", pathlib.Path(deploy.__file__), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    def test_packages_need_no_rust_and_one_message_has_everything_that_is_missing(self):
        (self.dist / "a.zip").unlink()
        done = self.runs("deploy", "--from", self.dist, "--stack", "1x")
        self.assertEqual(done.returncode, 2, done.stderr)
        for part in ["a.zip", "name for the stack", "a region", "credentials"]:
            self.assertIn(part, done.stderr)
        self.assertNotIn("Rust", done.stderr)

    def test_only_a_deployment_takes_packages(self):
        done = self.runs("build", "--from", self.dist)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--from is for check and deploy", done.stderr)
