#!/usr/bin/env python3
"""Tries ci/aws-migrate.sh with an `aws` that answers from a list, for every way in which it may end."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXECUTION = "arn:aws-cn:states:cn-north-1:123456789012:execution:crossfade-migrate-service:users-1"
# Writes down what it was asked, and gives the next answer for it: an exit code and a text, the last of them again and
# again.
STUB = """#!/usr/bin/env python3
import json, pathlib, sys
folder = pathlib.Path(__file__).parent
with (folder / "asked").open("a") as asked:
    asked.write(" ".join(sys.argv[1:]) + "\\n")
answers = json.loads((folder / "answers").read_text())
left = answers[sys.argv[2]]
code, text = left.pop(0) if len(left) > 1 else left[0]
(folder / "answers").write_text(json.dumps(answers))
print(text, file=sys.stderr if code else sys.stdout)
sys.exit(code)
"""
KNOWN = {
    "get-caller-identity": [[0, "arn:aws-cn:sts::123456789012:assumed-role/deploy/ci"]],
    "start-execution": [[0, EXECUTION]],
    "get": [[1, ""]],
}
RUNNING, REGION = [0, "RUNNING\tNone\tNone"], {"AWS_DEFAULT_REGION": "cn-north-1"}
DENIED = "An error occurred (AccessDeniedException) when calling the operation"
RAW = json.dumps({"errorType": "InvalidRequest", "errorMessage": 'invalid request: "dryrun" is no field'})
# Nothing here is measured; only what hangs is to end.
PATIENCE_SECONDS = 900
# What is tried: its name, answers, variables, the exit code, and texts that stand in what it says.
TRIES = [
    ("migrated", {"describe-execution": [RUNNING, [0, "SUCCEEDED\tNone\tNone"]]}, REGION, 0, ["users has migrated"]),
    (
        "rolled back",
        {"describe-execution": [RUNNING, [0, "FAILED\tRolledBack\talarm users-5xx fires"]]},
        REGION,
        3,
        ["users: FAILED RolledBack: alarm users-5xx fires"],
    ),
    ("halted", {"describe-execution": [[0, "FAILED\tHalted\tlook"]]}, REGION, 7, ["look"]),
    ("held", {"describe-execution": [[0, "FAILED\tLockHeld\tusers-3"]]}, REGION, 5, ["users-3"]),
    (
        "refused",
        {"describe-execution": [[0, f"FAILED\tInvalidRequest\t{RAW}"]]},
        REGION,
        2,
        ['users: FAILED InvalidRequest: invalid request: "dryrun" is no field'],
    ),
    ("stopped", {"describe-execution": [[0, "ABORTED\tNone\tNone"]]}, REGION, 1, ["ABORTED"]),
    (
        "one look that fails",
        {"describe-execution": [[255, "Could not connect"], [0, "SUCCEEDED\tNone\tNone"]]},
        REGION,
        0,
        ["users has migrated"],
    ),
    (
        "no look that works",
        {"describe-execution": [[255, "Could not connect"]]},
        REGION,
        8,
        ["Could not connect", "goes on"],
    ),
    (
        "expired",
        {"describe-execution": [RUNNING, [254, "An error occurred (ExpiredTokenException) when"]]},
        REGION,
        8,
        ["ExpiredToken", f"the migration goes on: {EXECUTION}"],
    ),
    (
        "denied at the start",
        {"start-execution": [[254, DENIED]]},
        REGION,
        8,
        ["AccessDenied", "start-execution failed"],
    ),
    (
        "no credentials",
        {"get-caller-identity": [[253, "Unable to locate credentials"]]},
        REGION,
        8,
        ["Unable to locate credentials"],
    ),
    ("no region", {}, {}, 2, ["no region: set AWS_REGION"]),
    (
        "a region in the profile",
        {"get": [[0, "cn-north-1"]], "describe-execution": [[0, "SUCCEEDED\tNone\tNone"]]},
        {},
        0,
        ["users has migrated"],
    ),
    (
        "time is up",
        {"describe-execution": [RUNNING]},
        REGION | {"WAIT_SECONDS": "0"},
        6,
        ["no end after 0 s", "goes on"],
    ),
]


def attempt(name, answers, variables, code, texts, arguments=("users",)):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "aws").write_text(STUB)
        (folder / "aws").chmod(0o755)
        (folder / "answers").write_text(json.dumps(KNOWN | answers))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environment |= {"PATH": f"{folder}:{os.environ['PATH']}", "POLL_SECONDS": "0"} | variables
        command = ["bash", ROOT / "ci/aws-migrate.sh", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
        said = done.stdout + done.stderr
        asked = (folder / "asked").read_text() if (folder / "asked").exists() else ""
    if done.returncode != code or any(text not in said for text in texts):
        return f"{name}: expected {code} and {texts}, found {done.returncode} and:\n{said}"
    machine = "arn:aws-cn:states:cn-north-1:123456789012:stateMachine:crossfade-migrate-service"
    if "start-execution" in asked and f"--state-machine-arn {machine} " not in asked:
        return f"{name}: it did not start {machine}:\n{asked}"
    return None


def main():
    wrong = [attempt(*one) for one in TRIES]
    wrong.append(
        attempt(
            "a name that is none", {}, REGION, 2, ["not the name of a service"], ('users", "dryRun": true, "x": "',)
        )
    )
    wrong.append(attempt("no service", {}, REGION, 2, ["usage"], ()))
    wrong = [one for one in wrong if one]
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"ci/aws-migrate.sh ends as it has to in {len(TRIES) + 2} ways")


if __name__ == "__main__":
    main()
