#!/usr/bin/env python3
"""Builds the functions for Lambda, and deploys the stack.

    python infra/tools/deploy.py build                            all functions for arm64, into target/lambda
    python infra/tools/deploy.py check  [--stack NAME]            says what a deployment needs and does not find
    python infra/tools/deploy.py deploy [--stack NAME] [--guided] [Parameter=Value ...]

`build` ends with 0 and a line that says so where the compiler has no target for arm64, since tests need none. `deploy` looks at
everything it needs before it begins, and tells all that is missing in one message.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".tools"
PACKAGING = TOOLS / "packaging"
TEMPLATE = ROOT / "infra/template.yaml"
TARGET = "aarch64-unknown-linux-gnu"
# `<stack>-create-target-group` is a function's name, and those have at most 64 letters.
STACK_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9-]{2,39}")


def functions():
    return sorted(folder.name for folder in (ROOT / "functions").iterdir() if folder.is_dir())


def environment():
    """With cargo-lambda, zig and sam on the path, and nothing told to anybody."""
    path = [str(PACKAGING / "bin"), str(TOOLS / "sam/bin"), os.environ.get("PATH", "")]
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
    if not found("cargo-lambda"):
        missing.append("cargo-lambda and zig: run `just packaging-tools`, which installs them from PyPI into .tools/packaging")
    return missing


def missing_for_deployment(stack):
    missing = missing_for_build()
    if not STACK_NAME.fullmatch(stack):
        missing.append(
            f"a name for the stack that fits: {stack!r} has to begin with a letter and to have 3 to 40 letters, digits and hyphens"
        )
    if not found("sam"):
        missing.append("the SAM command line: run `.ci/run --tools`, which installs it from PyPI into .tools/sam")
    return missing + missing_of_account()


def missing_of_account():
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        return ["boto3, to ask AWS who you are: it comes with the SAM command line, so run this with .tools/sam/bin/python"]
    try:
        session = boto3.Session()
        region, credentials = session.region_name, session.get_credentials()
    except BotoCoreError as error:
        return [f"a usable profile: {error}"]
    missing = []
    if not region:
        missing.append("a region: set AWS_REGION, or one in the profile that AWS_PROFILE names")
    if credentials is None:
        missing.append("credentials: set AWS_PROFILE, or sign in with `aws sso login`")
    if missing:
        return missing
    try:
        quick = Config(connect_timeout=5, read_timeout=10, retries={"max_attempts": 1})
        identity = session.client("sts", config=quick).get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        return [f"credentials that AWS takes, in {region}: {error}"]
    print(f"deploys as {identity['Arn']} to account {identity['Account']} in {region}", file=sys.stderr)
    return []


def tell(missing, what):
    lines = "\n".join(f"  - {one}" for one in missing)
    print(f"cannot {what}; this is missing:\n{lines}", file=sys.stderr)


def build():
    missing = missing_for_build()
    if missing:
        lines = "\n".join(f"  - {one}" for one in missing)
        print(f"SKIPPED: nothing was built for arm64; this is missing:\n{lines}", file=sys.stderr)
        return False
    # One build for all: they share their dependencies.
    binaries = [argument for name in functions() for argument in ("--bin", name)]
    subprocess.run(
        ["cargo", "lambda", "build", "--release", "--arm64", "--locked", *binaries], cwd=ROOT, env=environment(), check=True
    )
    for name in functions():
        size = (ROOT / "target/lambda" / name / "bootstrap").stat().st_size
        print(f"{size / 1e6:6.2f} MB  target/lambda/{name}/bootstrap")
    return True


def deploy(stack, guided, parameters):
    missing = missing_for_deployment(stack)
    if missing:
        tell(missing, "deploy")
        return 2
    wrong = [one for one in parameters if not re.fullmatch(r"[A-Za-z]+=.*", one)]
    if wrong:
        tell([f"{one!r} is no Parameter=Value" for one in wrong], "deploy")
        return 2
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
    parser.add_argument("what", choices=["build", "check", "deploy"])
    parser.add_argument("--stack", default="crossfade")
    parser.add_argument("--guided", action="store_true", help="let SAM ask for everything and remember it")
    parser.add_argument("parameters", nargs="*", metavar="Parameter=Value")
    arguments = parser.parse_intermixed_args()
    if arguments.what == "build":
        build()
        return 0
    if arguments.what == "deploy":
        return deploy(arguments.stack, arguments.guided, arguments.parameters)
    missing = missing_for_deployment(arguments.stack)
    if missing:
        tell(missing, "deploy")
    return 2 if missing else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(error.cmd[:3])} ended with {error.returncode}")
