"""Checks what deploy.py reports before it begins, with answers like AWS's."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from botocore.exceptions import ClientError

import deploy


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
