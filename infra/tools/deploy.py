#!/usr/bin/env python3
"""Builds the functions for Lambda, and deploys the stack.

    python3 infra/tools/deploy.py deploy [--stack NAME] [--guided] [Parameter=Value ...]
    python3 infra/tools/deploy.py check  [--stack NAME]   says what a deployment needs and does not find
    python3 infra/tools/deploy.py build                   all functions for arm64, into target/lambda
    python3 infra/tools/deploy.py target                  says whether they can be built here, and builds nothing

Any Python of 3.11 or newer does. `deploy` looks at everything it needs before it begins, and tells all that is missing
in one message; then it installs its own tools, pinned, into .tools. `build` and `target` end with 0 and a line that
says so where the compiler has no target for arm64, since tests need none.
"""

import argparse
import configparser
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".tools"
# The tools of a deployment: where they are, and their pins. `.ci/run` installs the first in the same way.
SAM, PACKAGING = TOOLS / "sam", TOOLS / "packaging"
PINS = {SAM: ROOT / "infra/tools/sam.txt", PACKAGING: ROOT / "infra/tools/packaging.txt"}
TEMPLATE = ROOT / "infra/template.yaml"
TARGET = "aarch64-unknown-linux-gnu"
# `<stack>-create-target-group` is a function's name, and those have at most 64 letters.
STACK_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9-]{2,39}")
# Lambda keeps as many for all functions that have none of their own.
KEPT_BY_LAMBDA = 100


def functions():
    return sorted(folder.name for folder in (ROOT / "functions").iterdir() if folder.is_dir())


def environment():
    """With cargo-lambda, zig and sam on the path, and nothing told to anybody."""
    path = [str(PACKAGING / "bin"), str(SAM / "bin"), os.environ.get("PATH", "")]
    return {**os.environ, "PATH": os.pathsep.join(path), "SAM_CLI_TELEMETRY": "0"}


def found(program):
    return shutil.which(program, path=environment()["PATH"]) is not None


def has_target():
    """Whether the compiler can build for arm64; asks rustup for it where there is a rustup."""
    if not found("rustc"):
        return False
    libraries = subprocess.run(
        ["rustc", "--print", "target-libdir", "--target", TARGET], capture_output=True, text=True, cwd=ROOT, check=False
    )
    if libraries.returncode == 0 and any(pathlib.Path(libraries.stdout.strip()).glob("libcore-*")):
        return True
    if not found("rustup"):
        return False
    added = subprocess.run(["rustup", "target", "add", TARGET], capture_output=True, cwd=ROOT, check=False)
    return added.returncode == 0


def missing_for_build():
    missing = []
    if not found("cargo"):
        missing.append("Rust: install it from https://rustup.rs")
    elif not has_target():
        missing.append(f"the compiler's target {TARGET}: run `rustup target add {TARGET}` where the network is")
    if sys.version_info < (3, 11):
        missing.append(f"Python 3.11 or newer: this is {sys.version.split()[0]}")
    elif not is_installed(PACKAGING) and importlib.util.find_spec("ensurepip") is None:
        missing.append("Python's own venv and pip, for the tools: install the package python3-venv")
    return missing


def missing_for_deployment(stack, parameters):
    missing = missing_for_build()
    if not STACK_NAME.fullmatch(stack):
        missing.append(
            f"a name for the stack that fits: {stack!r} has to begin with a letter "
            f"and to have 3 to 40 letters, digits and hyphens"
        )
    missing += [
        f"a Parameter=Value: {one!r} is none" for one in parameters if not re.fullmatch(r"[A-Za-z]+=.*", one, re.DOTALL)
    ]
    # boto3 comes with SAM: before that is installed, what can be seen without it.
    return missing + (
        missing_of_account(stack, parameters) if importlib.util.find_spec("boto3") else missing_of_settings()
    )


def missing_of_settings():
    """What no tool of AWS could do without, seen from outside."""
    settings = configparser.ConfigParser(strict=False)
    home = pathlib.Path.home() / ".aws"
    files = [
        os.environ.get("AWS_CONFIG_FILE") or home / "config",
        os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or home / "credentials",
    ]
    try:
        settings.read(files, encoding="utf-8")
    except configparser.Error as error:
        return [f"settings that can be read: {error}"]
    profile = os.environ.get("AWS_PROFILE", "default")
    sections = [settings[name] for name in (profile, f"profile {profile}") if name in settings]
    missing = []
    if not (
        os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION") or any("region" in one for one in sections)
    ):
        missing.append("a region: set AWS_DEFAULT_REGION, or one in the profile that AWS_PROFILE names")
    given = [
        "AWS_ACCESS_KEY_ID",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ]
    if not sections and not any(os.environ.get(name) for name in given):
        missing.append("credentials: set AWS_PROFILE, or sign in with `aws sso login`")
    return missing


def missing_of_account(stack, parameters):
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    # The SAM command line knows this name of the variable alone.
    if os.environ.get("AWS_REGION"):
        os.environ.setdefault("AWS_DEFAULT_REGION", os.environ["AWS_REGION"])
    try:
        session = boto3.Session()
        region, credentials = session.region_name, session.get_credentials()
    except BotoCoreError as error:
        return [f"a usable profile: {error}"]
    missing = []
    if not region:
        missing.append("a region: set AWS_DEFAULT_REGION, or one in the profile that AWS_PROFILE names")
    if credentials is None:
        missing.append("credentials: set AWS_PROFILE, or sign in with `aws sso login`")
    if missing:
        return missing
    quick = Config(connect_timeout=5, read_timeout=10, retries={"max_attempts": 1})
    client = lambda service: session.client(service, config=quick)
    try:
        identity = client("sts").get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        return [f"credentials that AWS takes, in {region}: {error}"]
    print(f"deploys as {identity['Arn']} to account {identity['Account']} in {region}", file=sys.stderr)
    return in_the_way(client, stack, parameters)


def in_the_way(client, stack, parameters):
    """What would make the creation of a new stack fail half-way.

    What may not be looked at is said and not held against anybody.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    def asked(what, call, absent):
        try:
            return call()
        except (BotoCoreError, ClientError) as error:
            code = getattr(error, "response", {}).get("Error", {}).get("Code")
            if code not in absent:
                print(f"cannot look at {what}: {error}", file=sys.stderr)
            return None

    stacks = asked("the stack", lambda: client("cloudformation").describe_stacks(StackName=stack), ["ValidationError"])
    status = stacks["Stacks"][0]["StackStatus"] if stacks and stacks["Stacks"] else "REVIEW_IN_PROGRESS"
    if status == "ROLLBACK_COMPLETE":
        return [
            f"a stack that can be updated: the creation of {stack} failed; "
            f"`aws cloudformation delete-stack --stack-name {stack}` first"
        ]
    if status != "REVIEW_IN_PROGRESS":
        return []
    missing = []
    table = asked(
        "the table", lambda: client("dynamodb").describe_table(TableName=stack), ["ResourceNotFoundException"]
    )
    if table:
        missing.append(
            f"the name {stack} for the table: an earlier stack has left its table, "
            f"with the journal of what was done; keep it and choose "
            "another --stack, or switch its deletion protection off and delete it"
        )
    aside = sum(int(number) for number in re.findall(r"{ Reserved: ([0-9]+) }", TEMPLATE.read_text(encoding="utf-8")))
    settings = asked("the account's limits", lambda: client("lambda").get_account_settings(), [])
    free = settings["AccountLimit"]["UnreservedConcurrentExecutions"] if settings else None
    if free is not None and free < aside + KEPT_BY_LAMBDA and "ReserveConcurrency=no" not in parameters:
        missing.append(
            f"concurrency to set aside: {free} executions of the account are free, "
            f"{aside} are set aside for rollbacks and Lambda keeps "
            f"{KEPT_BY_LAMBDA}; ask AWS for a higher limit, or deploy with ReserveConcurrency=no"
        )
    return missing


def is_installed(place):
    stamp = place / "pins"
    return stamp.exists() and stamp.read_bytes() == PINS[place].read_bytes()


def install(place):
    if is_installed(place):
        return
    print(f"installs {PINS[place].relative_to(ROOT)} into {place.relative_to(ROOT)}", file=sys.stderr, flush=True)
    shutil.rmtree(place, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    pip = [
        str(place / "bin/pip"),
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
        str(PINS[place]),
    ]
    subprocess.run(pip, check=True)
    shutil.copyfile(PINS[place], place / "pins")


def tell(missing, what):
    lines = "\n".join(f"  - {one}" for one in missing)
    print(f"cannot {what}; this is missing:\n{lines}", file=sys.stderr)


def build():
    missing = missing_for_build()
    if missing:
        lines = "\n".join(f"  - {one}" for one in missing)
        print(f"SKIPPED: nothing was built for arm64; this is missing:\n{lines}", file=sys.stderr)
        return False
    install(PACKAGING)
    # One build for all: they share their dependencies.
    binaries = [argument for name in functions() for argument in ("--bin", name)]
    subprocess.run(
        ["cargo", "lambda", "build", "--release", "--arm64", "--locked", *binaries],
        cwd=ROOT,
        env=environment(),
        check=True,
    )
    for name in functions():
        size = (ROOT / "target/lambda" / name / "bootstrap").stat().st_size
        print(f"{size / 1e6:6.2f} MB  target/lambda/{name}/bootstrap")
    return True


def target():
    missing = missing_for_build()
    if missing:
        tell(missing, "build for arm64, so it is SKIPPED")
    else:
        print(
            f"the compiler has {TARGET}; `python3 infra/tools/deploy.py build` builds all functions, "
            "which is not done at every check"
        )


def deploy(stack, guided, parameters):
    missing = missing_for_deployment(stack, parameters)
    if missing:
        tell(missing, "deploy")
        return 2
    install(SAM)
    if not importlib.util.find_spec("boto3"):
        # The account is looked at by the Python that has boto3, before anything is built.
        again = [
            str(SAM / "bin/python"),
            __file__,
            "deploy",
            "--stack",
            stack,
            *(["--guided"] if guided else []),
            *parameters,
        ]
        return subprocess.run(again, check=False).returncode
    run = lambda *command: subprocess.run(command, cwd=ROOT, env=environment(), check=True)
    build()
    # Finds what was built and copies it; the same build tells it that nothing has changed.
    run("sam", "build", "--template", str(TEMPLATE))
    command = ["sam", "deploy", "--stack-name", stack, "--capabilities", "CAPABILITY_NAMED_IAM"]
    command += ["--guided"] if guided else ["--resolve-s3", "--no-fail-on-empty-changeset"]
    run(*command, *(["--parameter-overrides", *parameters] if parameters else []))
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["build", "check", "deploy", "target"])
    parser.add_argument("--stack", default="crossfade")
    parser.add_argument("--guided", action="store_true", help="let SAM ask for everything and remember it")
    parser.add_argument("parameters", nargs="*", metavar="Parameter=Value")
    arguments = parser.parse_intermixed_args()
    if arguments.what == "build":
        build()
        return 0
    if arguments.what == "target":
        target()
        return 0
    if arguments.what == "deploy":
        return deploy(arguments.stack, arguments.guided, arguments.parameters)
    missing = missing_for_deployment(arguments.stack, arguments.parameters)
    if missing:
        tell(missing, "deploy")
    else:
        print("nothing that a deployment needs is missing")
    return 2 if missing else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(error.cmd[:3])} ended with {error.returncode}")
