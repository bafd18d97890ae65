#!/usr/bin/env python3
"""Tries what deploy.py says of an account before it begins, with answers as AWS gives them.

python infra/tools/try_deploy.py
"""

import pathlib
import subprocess
import sys
import tempfile

from botocore.exceptions import ClientError

import deploy


class Account:
    """Answers every operation from a list; an answer that is a text is an error with this code."""

    def __init__(self, **answers):
        self.answers = answers

    def __call__(self, service):
        return self

    def __getattr__(self, operation):
        answer = self.answers.get(operation, "AccessDenied")
        if isinstance(answer, str):
            raise_it = ClientError({"Error": {"Code": answer, "Message": "no"}}, operation)
            return lambda **_: (_ for _ in ()).throw(raise_it)
        return lambda **_: answer


def limit(free):
    return {"AccountLimit": {"UnreservedConcurrentExecutions": free}}


def stack(status):
    return {"Stacks": [{"StackStatus": status}]}


NEW = {
    "describe_stacks": "ValidationError",
    "describe_table": "ResourceNotFoundException",
    "get_account_settings": limit(1000),
}
# What is tried: the account, parameters, and what each thing that is missing begins with.
TRIES = [
    (NEW, [], []),
    (NEW | {"get_account_settings": limit(142)}, [], []),
    (NEW | {"get_account_settings": limit(141)}, [], ["concurrency to set aside: 141"]),
    (NEW | {"get_account_settings": limit(10)}, ["ReserveConcurrency=no"], []),
    (
        NEW | {"describe_table": {"Table": {}}, "get_account_settings": limit(10)},
        [],
        ["the name blue for the table", "concurrency"],
    ),
    (NEW | {"describe_stacks": stack("ROLLBACK_COMPLETE")}, [], ["a stack that can be updated"]),
    # An update: table and concurrency are the stack's own.
    (
        {
            "describe_stacks": stack("UPDATE_COMPLETE"),
            "describe_table": {"Table": {}},
            "get_account_settings": limit(10),
        },
        [],
        [],
    ),
    # Whoever may not look is not kept from deploying.
    ({}, [], []),
]


def main():
    wrong = []
    for answers, parameters, expected in TRIES:
        missing = deploy.in_the_way(Account(**answers), "blue", parameters)
        if len(missing) != len(expected) or any(not said.startswith(begins) for said, begins in zip(missing, expected)):
            wrong.append(f"{answers} with {parameters}: expected {expected}, found {missing}")
    # With nothing but Python: all that is missing in one message.
    with tempfile.TemporaryDirectory() as home:
        environment = {"PATH": "/nowhere", "HOME": home}
        command = [sys.executable, "-S", pathlib.Path(deploy.__file__), "deploy", "--stack", "1x", "wrong"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
    for part in ["Rust", "a name for the stack", "'wrong'", "a region", "credentials"]:
        if done.returncode != 2 or part not in done.stderr:
            wrong.append(f"{part} is missing in what is told, {done.returncode}: {done.stderr}")
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"deploy.py says what is in the way in {len(TRIES)} accounts")


if __name__ == "__main__":
    main()
