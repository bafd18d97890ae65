#!/usr/bin/env python3
"""Deploys the template with the functions' packages into ministack, and moves a service there with the command line.

    python infra/tools/stack_run.py expanded.json target/debug

CloudFormation, Lambda, Step Functions and DynamoDB are ministack's; load balancers, alarms and clusters are those of a kept rehearsal, to which the
functions are pointed by `AWS_ENDPOINT_URL_<SERVICE>`. The rehearsal refuses its own migration (an alarm is missing), so that the service is
still where it was when ministack's execution begins. Waits are as much shorter as the rehearsal's clock is faster.
"""

import contextlib
import io
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import zipfile

import stack

REGION = "eu-west-1"
SCALE = 120
SCENARIO = f"""
seed: 1
scale: {SCALE}
services:
  - name: users
    requestsPerSecond: 20
    policy: {{ alarms: [users-missing] }}
    expect: refused
"""
SCHEDULE = [{"weight": 10, "bake": "5m"}, {"weight": 100, "bake": "5m"}]


@contextlib.contextmanager
def world(binaries, folder):
    """A kept rehearsal; gives the variables that lead to it."""
    scenario = folder / "scenario.yaml"
    scenario.write_text(SCENARIO)
    command = [binaries / "crossfade", "rehearse", "--scenario", scenario, "--keep", "--functions", binaries]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
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
    """Points each function to a package of its own and to the world; returns the names of the binaries."""
    names = []
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            properties = resource["Properties"]
            names.append(properties["FunctionName"]["Fn::Sub"].removeprefix("${AWS::StackName}-"))
            properties["Code"] |= {"S3Key": f"{names[-1]}.zip"}
            properties["Architectures"] = ["x86_64"]
            properties["Environment"]["Variables"] |= variables
    return names


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


def move(url, variables, folder, binaries, document):
    """Stores the policy, starts the migration and waits for its end, as a person does; returns what the journal says."""
    file = folder / "policy.json"
    file.write_text(json.dumps(document))
    environment = os.environ | variables | {
        "AWS_ENDPOINT_URL": url, "AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
    }
    for arguments in (["apply", file], ["start", "users", "--wait", "--timeout", "2h"], ["history", "users"]):
        done = subprocess.run([binaries / "crossfade", *arguments], env=environment, capture_output=True, text=True, timeout=600)
        if done.returncode != 0:
            sys.exit(f"crossfade {arguments[0]} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    template = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    binaries = pathlib.Path(sys.argv[2]).resolve()
    stack.REGION = REGION
    for line in stack.without_what_ministack_cannot_do(template):
        print(f"changed for ministack: {line}")
    with tempfile.TemporaryDirectory() as folder, world(binaries, pathlib.Path(folder)) as (endpoint, clock):
        folder = pathlib.Path(folder)
        services = ["ELASTIC_LOAD_BALANCING_V2", "CLOUDWATCH"]
        variables = {f"AWS_ENDPOINT_URL_{service}": endpoint for service in services} | {"CROSSFADE_CLOCK": clock}
        document = policy(endpoint)
        names = packaged(template, variables)
        process, url = stack.start(folder, {"SFN_WAIT_SCALE": str(1 / SCALE)})
        try:
            _, resources = stack.create(url, upload(url, template, names, binaries), folder)
            print(f"{len(resources)} resources deployed by CloudFormation into ministack, {len(names)} functions with their packages")
            print(move(url, variables, folder, binaries, document))
            machine = f"arn:aws:states:{REGION}:{stack.ACCOUNT}:stateMachine:{stack.STACK}-migrate-service"
            executions = stack.client("stepfunctions", url).list_executions(stateMachineArn=machine)["executions"]
        finally:
            stack.stop(process)
    ended = [(execution["name"], execution["status"]) for execution in executions]
    print(ended)
    if [status for _, status in ended] != ["SUCCEEDED"]:
        sys.exit("the execution did not succeed")


if __name__ == "__main__":
    main()
