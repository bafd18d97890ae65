#!/usr/bin/env python3
"""Builds the functions for Lambda, and deploys the stack.

    python3 infra/tools/deploy.py deploy [--from DIST] [--stack NAME] [--guided] [Parameter=Value ...]
    python3 infra/tools/deploy.py check  [--from DIST] [--stack NAME]
        reports what a deployment needs and does not find
    python3 infra/tools/deploy.py build     builds all functions for arm64, into target/lambda
    python3 infra/tools/deploy.py target    reports whether they can be built here, and builds nothing

Python 3.11 or newer is enough. `deploy` first checks everything that it needs and reports all that is missing in one
message. Then it installs its own pinned tools into .tools. With `--from`, it deploys packages that `just package` or a
release made, and needs no Rust. If the compiler has no target for arm64, `build` and `target` say so and exit with 0,
because no test needs it.
"""

import argparse
import configparser
import hashlib
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".tools"
# Where a deployment's tools are, and their pins. `.ci/run` installs the first in the same way.
SAM, PACKAGING = TOOLS / "sam", TOOLS / "packaging"
PINS = {SAM: ROOT / "infra/tools/sam.txt", PACKAGING: ROOT / "infra/tools/packaging.txt"}
TEMPLATE = ROOT / "infra/template.yaml"
TARGET = "aarch64-unknown-linux-gnu"
# `<stack>-create-target-group` is the name of a function, which has at most 64 letters.
STACK_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9-]{2,39}")
# Where packages have the checksums of their files, as `sha256sum` writes and checks them, and their template.
SUMS, PACKAGED = "SHA256SUMS", "template.yaml"
# Lambda keeps this many for all functions without a reservation.
KEPT_BY_LAMBDA = 100
NO_REGION = "a region: set AWS_DEFAULT_REGION, or one in the profile that AWS_PROFILE names"
NO_CREDENTIALS = "credentials: set AWS_PROFILE, or sign in with `aws sso login`"


def functions():
    return sorted(folder.name for folder in (ROOT / "functions").iterdir() if folder.is_dir())


def environment():
    """Returns the environment with cargo-lambda, zig and sam on the path, and without SAM's telemetry."""
    path = [str(PACKAGING / "bin"), str(SAM / "bin"), os.environ.get("PATH", "")]
    return {**os.environ, "PATH": os.pathsep.join(path), "SAM_CLI_TELEMETRY": "0"}


def found(program):
    return shutil.which(program, path=environment()["PATH"]) is not None


def has_target():
    """Returns whether the compiler can build for arm64; asks rustup for the target if rustup is installed."""
    if not found("rustc"):
        return False
    query = ["rustc", "--print", "target-libdir", "--target", TARGET]
    libraries = subprocess.run(query, capture_output=True, text=True, cwd=ROOT, check=False)
    if libraries.returncode == 0 and any(pathlib.Path(libraries.stdout.strip()).glob("libcore-*")):
        return True
    add = ["rustup", "target", "add", TARGET]
    return found("rustup") and subprocess.run(add, capture_output=True, cwd=ROOT, check=False).returncode == 0


def missing_for_build():
    missing = []
    if not found("cargo"):
        missing.append("Rust: install it from https://rustup.rs")
    elif not has_target():
        missing.append(f"the compiler's target {TARGET}: run `rustup target add {TARGET}` with network access")
    return missing + missing_of_python(PACKAGING)


def missing_of_python(tools):
    if sys.version_info < (3, 11):
        return [f"Python 3.11 or newer: this is {sys.version.split()[0]}"]
    if not is_installed(tools) and importlib.util.find_spec("ensurepip") is None:
        return ["Python's venv and pip, for the tools: install the package python3-venv"]
    return []


def sha256(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def missing_in(dist):
    """Returns every file of the packages that is missing or is not as it was packaged."""
    sums = dist / SUMS
    if not sums.is_file():
        return [f"packages in {dist}: it has no {SUMS}; run `just package`, or name the folder of an unpacked release"]
    missing, listed = [], set()
    for number, line in enumerate(sums.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        entry = re.fullmatch(r"([0-9a-f]{64})  (.+)", line)
        if not entry:
            missing.append(f"{SUMS}, line {number}: expected a SHA-256 and a file, found {line!r}")
            continue
        expected, name = entry.groups()
        listed.add(name)
        try:
            found = sha256(dist / name)
        except OSError as error:
            missing.append(f"{name}: {error.strerror}")
            continue
        if found != expected:
            missing.append(f"{name} as it was packaged: expected SHA-256 {expected}, found {found}")
    template = dist / PACKAGED
    text = template.read_text(encoding="utf-8") if template.is_file() else ""
    needed = {PACKAGED, *re.findall(r"^ *(?:CodeUri|DefinitionUri): (\S+)$", text, re.MULTILINE)}
    missing += [f"the checksum of {name} in {SUMS}" for name in sorted(needed - listed)]
    if missing:
        missing.append(f"one whole set of packages in {dist}: run `just package` again, or unpack the release again")
    return missing


def missing_for_deployment(stack, parameters, dist=None):
    missing = missing_of_python(SAM) + missing_in(dist) if dist else missing_for_build()
    if not STACK_NAME.fullmatch(stack):
        missing.append(
            f"a valid name for the stack: {stack!r} must begin with a letter "
            "and have 3 to 40 letters, digits and hyphens"
        )
    wrong = [one for one in parameters if not re.fullmatch(r"[A-Za-z]+=.*", one, re.DOTALL)]
    missing += [f"a Parameter=Value: found {one!r}" for one in wrong]
    # boto3 comes with SAM. Until SAM is installed, only the settings can be checked.
    has_boto3 = importlib.util.find_spec("boto3")
    template = dist / PACKAGED if dist else TEMPLATE
    return missing + (missing_of_account(stack, parameters, template) if has_boto3 else missing_of_settings())


def missing_of_settings():
    """Returns what every AWS tool needs and the environment and the settings' files do not have."""
    settings = configparser.ConfigParser(strict=False)
    home = pathlib.Path.home() / ".aws"
    files = [
        os.environ.get("AWS_CONFIG_FILE") or home / "config",
        os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or home / "credentials",
    ]
    try:
        settings.read(files, encoding="utf-8")
    except configparser.Error as error:
        return [f"readable settings: {error}"]
    profile = os.environ.get("AWS_PROFILE", "default")
    sections = [settings[name] for name in (profile, f"profile {profile}") if name in settings]
    is_set = lambda *names: any(os.environ.get(name) for name in names)
    missing = []
    if not is_set("AWS_DEFAULT_REGION", "AWS_REGION") and not any("region" in one for one in sections):
        missing.append(NO_REGION)
    container = "AWS_CONTAINER_CREDENTIALS"
    if not sections and not is_set(
        "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", f"{container}_RELATIVE_URI", f"{container}_FULL_URI"
    ):
        missing.append(NO_CREDENTIALS)
    return missing


def missing_of_account(stack, parameters, template):
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    # The SAM command line reads only this name of the variable.
    if os.environ.get("AWS_REGION"):
        os.environ.setdefault("AWS_DEFAULT_REGION", os.environ["AWS_REGION"])
    try:
        session = boto3.Session()
        region, credentials = session.region_name, session.get_credentials()
    except BotoCoreError as error:
        return [f"a usable profile: {error}"]
    missing = ([] if region else [NO_REGION]) + ([] if credentials else [NO_CREDENTIALS])
    if missing:
        return missing
    quick = Config(connect_timeout=5, read_timeout=10, retries={"max_attempts": 1})
    client = lambda service: session.client(service, config=quick)
    try:
        identity = client("sts").get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        return [f"credentials that AWS accepts, in {region}: {error}"]
    print(f"deploys as {identity['Arn']} to account {identity['Account']} in {region}", file=sys.stderr)
    return blockers(client, stack, parameters, template)


def blockers(client, stack, parameters, template=TEMPLATE):
    """Returns what would make the creation of a new stack fail halfway.

    What the caller is not allowed to read is reported, but blocks nothing.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    def read(what, call, absent):
        try:
            return call()
        except (BotoCoreError, ClientError) as error:
            code = getattr(error, "response", {}).get("Error", {}).get("Code")
            if code not in absent:
                print(f"cannot read {what}: {error}", file=sys.stderr)
            return None

    stacks = read("the stack", lambda: client("cloudformation").describe_stacks(StackName=stack), ["ValidationError"])
    status = stacks["Stacks"][0]["StackStatus"] if stacks and stacks["Stacks"] else "REVIEW_IN_PROGRESS"
    if status == "ROLLBACK_COMPLETE":
        return [
            f"a stack that can be updated: the creation of {stack} failed; "
            f"run `aws cloudformation delete-stack --stack-name {stack}` first"
        ]
    if status != "REVIEW_IN_PROGRESS":
        return []
    missing = []
    if read("the table", lambda: client("dynamodb").describe_table(TableName=stack), ["ResourceNotFoundException"]):
        missing.append(
            f"the name {stack} for the table: an earlier stack left its table, with the journal of what was done; "
            "keep it and choose another --stack, or turn off its deletion protection and delete it"
        )
    text = template.read_text(encoding="utf-8") if template.is_file() else ""
    reserved = sum(int(number) for number in re.findall(r"{ Reserved: ([0-9]+) }", text))
    settings = read("the account's limits", lambda: client("lambda").get_account_settings(), [])
    free = settings["AccountLimit"]["UnreservedConcurrentExecutions"] if settings else None
    if free is not None and free < reserved + KEPT_BY_LAMBDA and "ReserveConcurrency=no" not in parameters:
        missing.append(
            f"concurrency to reserve: the account has {free} executions left, the stack reserves {reserved} for "
            f"rollbacks and Lambda keeps {KEPT_BY_LAMBDA}; ask AWS for a higher limit, or deploy with "
            "ReserveConcurrency=no"
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
    options = ["--quiet", "--disable-pip-version-check", "--requirement", str(PINS[place])]
    subprocess.run([str(place / "bin/pip"), "install", *options], check=True)
    shutil.copyfile(PINS[place], place / "pins")


def report(what, missing):
    """Prints what is missing, if anything; returns whether nothing is."""
    if missing:
        print("\n  - ".join([f"{what}; this is missing:", *missing]), file=sys.stderr)
    return not missing


def build():
    if not report("SKIPPED: nothing was built for arm64", missing_for_build()):
        return
    install(PACKAGING)
    # One build for all functions, because they share their dependencies.
    command = ["cargo", "lambda", "build", "--release", "--arm64", "--locked"]
    binaries = [argument for name in functions() for argument in ("--bin", name)]
    subprocess.run([*command, *binaries], cwd=ROOT, env=environment(), check=True)
    for name in functions():
        size = (ROOT / "target/lambda" / name / "bootstrap").stat().st_size
        print(f"{size / 1e6:6.2f} MB  target/lambda/{name}/bootstrap")


def deploy(stack, guided, parameters, dist=None):
    if not report("cannot deploy", missing_for_deployment(stack, parameters, dist)):
        return 2
    install(SAM)
    guide = ["--guided"] if guided else []
    if not importlib.util.find_spec("boto3"):
        # The Python that has boto3 checks the account before anything is built.
        given = ["--from", str(dist)] if dist else []
        again = [str(SAM / "bin/python"), __file__, "deploy", "--stack", stack, *given, *guide, *parameters]
        return subprocess.run(again, check=False).returncode
    command = ["sam", "deploy", "--stack-name", stack, "--capabilities", "CAPABILITY_NAMED_IAM"]
    command += guide or ["--resolve-s3", "--no-fail-on-empty-changeset"]
    command += ["--parameter-overrides", *parameters] if parameters else []
    steps = [["sam", "build", "--template", str(TEMPLATE)], command]
    if dist:
        steps = [[*command, "--template-file", str(dist / PACKAGED)]]
    else:
        # SAM finds what was built and copies it: the same build again reports that nothing has changed.
        build()
    for step in steps:
        subprocess.run(step, cwd=ROOT, env=environment(), check=True)
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["build", "check", "deploy", "target"])
    parser.add_argument("--stack", default="crossfade")
    parser.add_argument("--from", dest="dist", type=pathlib.Path, metavar="DIST", help="deploy packages; needs no Rust")
    parser.add_argument("--guided", action="store_true", help="let SAM ask for everything and remember the answers")
    parser.add_argument("parameters", nargs="*", metavar="Parameter=Value")
    arguments = parser.parse_intermixed_args()
    if arguments.dist and arguments.what not in ("check", "deploy"):
        parser.error(f"--from is for check and deploy: {arguments.what} needs no packages")
    # SAM runs in another folder.
    dist = arguments.dist and arguments.dist.resolve()
    if arguments.what == "deploy":
        return deploy(arguments.stack, arguments.guided, arguments.parameters, dist)
    if arguments.what == "build":
        build()
    elif arguments.what == "target":
        if report("cannot build for arm64, so it is SKIPPED", missing_for_build()):
            print(
                f"the compiler has {TARGET}; `python3 infra/tools/deploy.py build` builds all functions, "
                "which this check does not"
            )
    elif not report("cannot deploy", missing_for_deployment(arguments.stack, arguments.parameters, dist)):
        return 2
    else:
        print("nothing that a deployment needs is missing")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(error.cmd[:3])} failed with exit code {error.returncode}")
