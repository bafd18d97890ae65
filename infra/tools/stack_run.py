#!/usr/bin/env python3
"""Deploys the template with the functions' packages into ministack, and moves a service there with the command line.

    python infra/tools/stack_run.py expanded.json target/debug

CloudFormation, Lambda, Step Functions and DynamoDB are ministack's; load balancers, alarms and clusters are those of a
kept rehearsal, to which the functions are pointed by `AWS_ENDPOINT_URL_<SERVICE>`. The rehearsal refuses its own
migration (an alarm is missing), so that the service is still where it was when ministack's execution begins. Waits are
as much shorter as the rehearsal's clock is faster. In the end the execution has succeeded, and the load balancers
themselves say that every route of the service sends everything to its new group.
"""

import contextlib
import io
import json
import os
import pathlib
import platform
import re
import signal
import subprocess
import sys
import tempfile
import threading
import zipfile

import stack

REGION = "eu-west-1"
# Slow enough that a debug binary, started cold on a loaded machine, is late by seconds of the world and not by minutes.
SCALE = 40
# Nothing here is measured; only what hangs is to end.
PATIENCE_SECONDS = 1800
SCENARIO = f"""
seed: 1
scale: {SCALE}
services:
  - name: users
    sentPerMinute: 30
    policy: {{ alarms: [users-missing] }}
    expect: refused
"""
# What this machine runs, in Lambda's words.
MACHINE = {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")
SCHEDULE = [{"weight": 10, "bake": "5m"}, {"weight": 100, "bake": "5m"}]


@contextlib.contextmanager
def world(binaries, folder):
    """A kept rehearsal; gives the variables that lead to it."""
    scenario = folder / "scenario.yaml"
    scenario.write_text(SCENARIO)
    command = [binaries / "crossfade", "rehearse", "--scenario", scenario, "--keep", "--functions", binaries]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        told, exports = [], {}
        for line in process.stderr:
            told.append(line)
            exports |= dict(re.findall(r"(AWS_ENDPOINT_URL|CROSSFADE_CLOCK)=(\S+)", line))
            if "The world stays up" in line:
                break
        else:
            sys.exit("the rehearsal ended:\n" + "".join(told))
        # Somebody has to read on, or it waits for its reader.
        threading.Thread(target=lambda: [None for _ in process.stderr], daemon=True).start()
        yield exports["AWS_ENDPOINT_URL"], exports["CROSSFADE_CLOCK"]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def policy(endpoint):
    """The rehearsal's policy, with an alarm that exists and a short schedule."""
    key = {"pk": {"S": "policy"}, "sk": {"S": "rehearsal"}}
    item = stack.client("dynamodb", endpoint).get_item(TableName=stack.STACK, Key=key)["Item"]
    document = json.loads(item["document"]["S"]) | {"fleet": "ministack"}
    document["services"][0] |= {"alarms": ["users-5xx"], "schedule": SCHEDULE}
    return document


def packaged(template, variables):
    """Points each function to a package of its own and to the world.

    Returns the names of the binaries, and what was changed.
    """
    names, changed = [], set()
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            properties = resource["Properties"]
            names.append(properties["FunctionName"]["Fn::Sub"].removeprefix("${AWS::StackName}-"))
            properties["Code"] |= {"S3Key": f"{names[-1]}.zip"}
            changed.add(
                f"every function: runs on {MACHINE} and not on {properties['Architectures'][0]}, "
                f"since that is what was built here"
            )
            properties["Architectures"] = [MACHINE]
            properties["Environment"]["Variables"] |= variables
    told = ", ".join(f"{name}={value}" for name, value in variables.items())
    return names, [*changed, f"every function: told {told}, since load balancers, alarms and clock are the rehearsal's"]


def upload(url, template, names, binaries):
    bucket = template["Resources"]["RollBackFunction"]["Properties"]["Code"]["S3Bucket"]
    s3 = stack.client("s3", url)
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    for name in names:
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            bootstrap = zipfile.ZipInfo("bootstrap")
            bootstrap.external_attr, bootstrap.compress_type = 0o755 << 16, zipfile.ZIP_DEFLATED
            archive.writestr(bootstrap, (binaries / name).read_bytes())
        s3.put_object(Bucket=bucket, Key=f"{name}.zip", Body=package.getvalue())
    s3.put_object(Bucket=bucket, Key="template.json", Body=json.dumps(template).encode())
    return f"{url}/{bucket}/template.json"


def forwards(endpoint):
    """What each route of the world's load balancers sends to which target group: weights by route and group name."""
    balancers = stack.client("elbv2", endpoint)
    names = {
        group["TargetGroupArn"]: group["TargetGroupName"]
        for group in balancers.describe_target_groups()["TargetGroups"]
    }
    found = {}
    for balancer in balancers.describe_load_balancers()["LoadBalancers"]:
        for listener in balancers.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]:
            for rule in balancers.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]:
                for action in rule["Actions"]:
                    groups = action.get("ForwardConfig", {}).get("TargetGroups", [])
                    if groups:
                        found[rule["RuleArn"]] = {
                            names[group["TargetGroupArn"]]: group.get("Weight", 1) for group in groups
                        }
    return found


def not_moved(before, after, old):
    """The routes that sent anything to an old group before and do not send all to one new group now, in words."""
    wrong, moved = [], 0
    for route, weights in before.items():
        if not weights.keys() & old:
            continue
        now = {group: weight for group, weight in after.get(route, {}).items() if weight > 0}
        if len(now) == 1 and not now.keys() & old:
            moved += 1
        else:
            wrong.append(f"{route}: expected everything at a new group, found {after.get(route)}")
    return wrong or ([] if moved else [f"no route leads to {sorted(old)}"]), moved


def move(url, variables, folder, binaries, document):
    """Stores the policy, starts the migration and waits for its end, as a person does; prints what the journal says."""
    file = folder / "policy.json"
    file.write_text(json.dumps(document))
    # No AWS_ENDPOINT_URL: the flag is to do it alone.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= variables | {"AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    # The wait is in the world's time, which is faster; what hangs is ended in this machine's.
    for arguments in (["apply", file], ["start", "users", "--wait", "--timeout", "30d"], ["history", "users"]):
        command = [binaries / "crossfade", *arguments, "--endpoint-url", url]
        print(" ".join(str(part) for part in ["$ crossfade", *command[1:]]), flush=True)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
        if done.returncode != 0:
            sys.exit(f"crossfade {arguments[0]} ended with {done.returncode}\n{done.stdout}{done.stderr}")
        print(done.stdout, end="")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    template = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    binaries = pathlib.Path(sys.argv[2]).resolve()
    stack.REGION = REGION
    changed = stack.without_what_ministack_cannot_do(template)
    with tempfile.TemporaryDirectory() as folder, world(binaries, pathlib.Path(folder)) as (endpoint, clock):
        folder = pathlib.Path(folder)
        services = ["ELASTIC_LOAD_BALANCING_V2", "CLOUDWATCH"]
        variables = {f"AWS_ENDPOINT_URL_{service}": endpoint for service in services} | {"CROSSFADE_CLOCK": clock}
        document = policy(endpoint)
        old = document["services"][0]["oldTargetGroups"]
        names, of_functions = packaged(template, variables)
        for line in changed + of_functions:
            print(f"changed for ministack: {line}")
        process, url = stack.start(folder, {"SFN_WAIT_SCALE": str(1 / SCALE)})
        try:
            _, resources = stack.create(url, upload(url, template, names, binaries), folder)
            print(
                f"{len(resources)} resources deployed by CloudFormation into ministack, "
                f"{len(names)} functions with their packages"
            )
            before = forwards(endpoint)
            move(url, variables, folder, binaries, document)
            wrong, moved = not_moved(before, forwards(endpoint), set([old] if isinstance(old, str) else old))
            machine = f"arn:aws:states:{REGION}:{stack.ACCOUNT}:stateMachine:{stack.STACK}-migrate-service"
            executions = stack.client("stepfunctions", url).list_executions(stateMachineArn=machine)["executions"]
        finally:
            stack.stop(process)
    ended = [(execution["name"], execution["status"]) for execution in executions]
    if [status for _, status in ended] != ["SUCCEEDED"]:
        wrong.append(f"expected one execution that succeeded, found {ended}")
    if wrong:
        sys.exit("\n".join(wrong))
    print(
        f"execution {ended[0][0]} in ministack: {ended[0][1]}; "
        f"{moved} route(s) at the load balancers: all at the new group"
    )


if __name__ == "__main__":
    main()
