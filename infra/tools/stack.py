#!/usr/bin/env python3
"""Deploys the template by CloudFormation into ministack, an AWS that is not ours, and looks at what came of it.

    python infra/tools/stack.py expanded.json

Offline and without credentials. What `tools/expand.py` made of the template is what CloudFormation gets on AWS too.
What ministack cannot do is named, with the reason, and changed as little as it takes; everything else has to be there
in the end, with the names, targets and versions that the template gives it. The functions' packages are empty here:
`stack_run.py` brings theirs and moves a service.
"""

import collections
import contextlib
import io
import json
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile

import boto3
from botocore.config import Config

STACK, REGION, ACCOUNT = "crossfade", "us-east-1", "000000000000"
# Nothing here is measured; only what hangs is to end.
PATIENCE_SECONDS = 900
# So that what depends on a condition is made too.
PARAMETERS = {
    "NotificationEmail": "ops@example.com",
    "GitHubProviderArn": f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com",
    "GitHubSubjects": "repo:acme/users:ref:refs/heads/main,repo:acme@123456/shop@456789:ref:refs/heads/main",
    "GitLabProviderArn": f"arn:aws:iam::{ACCOUNT}:oidc-provider/gitlab.com",
    "GitLabSubjects": "project_path:acme/users:ref_type:branch:ref:main",
}


def free_port():
    """One below those that the system gives to whoever asks for any: nobody else takes it before ministack does."""
    for port in random.sample(range(20000, 30000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    sys.exit("no port is free between 20000 and 30000")


def start(folder, settings=None):
    """ministack in a process group of its own, once it answers."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": url,
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        **(settings or {}),
    }
    log = (folder / "ministack.log").open("w")
    command = [sys.executable, "-m", "ministack"]
    process = subprocess.Popen(
        command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
    )
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            urllib.request.urlopen(f"{url}/_ministack/ready", timeout=30).read()
            return process, url
        except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
            if process.poll() is not None or time.monotonic() > deadline:
                stop(process)
                sys.exit(
                    f"ministack does not answer at {url}: {error}\n{(folder / 'ministack.log').read_text()[-2000:]}"
                )
            time.sleep(0.1)


def stop(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def client(service, url):
    quiet = Config(retries={"max_attempts": 0}, read_timeout=600)
    credentials = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client(service, endpoint_url=url, region_name=REGION, config=quiet, **credentials)


def without_what_ministack_cannot_do(template):
    """Says what was changed, and why. A metric that is summed of others becomes the first of them."""
    changed = []
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in properties:
            first = next(metric["MetricStat"] for metric in properties.pop("Metrics") if "MetricStat" in metric)
            properties |= first["Metric"] | {"Statistic": first["Stat"], "Period": first["Period"]}
            changed.append(f"{name}: ministack has no metric math in alarms")
    return changed


def upload(url, template):
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        bootstrap = zipfile.ZipInfo("bootstrap")
        bootstrap.external_attr = 0o755 << 16
        archive.writestr(bootstrap, "#!/bin/sh\nexit 1\n")
    code = template["Resources"]["RollBackFunction"]["Properties"]["Code"]
    s3 = client("s3", url)
    s3.create_bucket(Bucket=code["S3Bucket"])
    s3.put_object(Bucket=code["S3Bucket"], Key=code["S3Key"], Body=package.getvalue())
    s3.put_object(Bucket=code["S3Bucket"], Key="template.json", Body=json.dumps(template).encode())
    return f"{url}/{code['S3Bucket']}/template.json"


def create(url, template_url, folder, parameters=None):
    formation = client("cloudformation", url)
    given = [{"ParameterKey": name, "ParameterValue": value} for name, value in (parameters or {}).items()]
    formation.create_stack(
        StackName=STACK, TemplateURL=template_url, Capabilities=["CAPABILITY_NAMED_IAM"], Parameters=given
    )
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        stack = formation.describe_stacks(StackName=STACK)["Stacks"][0]
        if "IN_PROGRESS" not in stack["StackStatus"]:
            break
        if time.monotonic() > deadline:
            sys.exit(f"the stack is still {stack['StackStatus']} after {PATIENCE_SECONDS} s")
        time.sleep(0.2)
    if stack["StackStatus"] != "CREATE_COMPLETE":
        log = (folder / "ministack.log").read_text(encoding="utf-8").splitlines()
        why = [line for line in log if "cloudformation" in line and "ERROR" in line]
        sys.exit("\n".join([f"the stack is {stack['StackStatus']}", *why]))
    resources = []
    for page in formation.get_paginator("list_stack_resources").paginate(StackName=STACK):
        resources += page["StackResourceSummaries"]
    return stack, resources


def look(url, template, stack, resources):
    """What is not as the template has it, in words."""
    wrong = []
    expected = {name: one["Type"] for name, one in template["Resources"].items()}
    there = {one["LogicalResourceId"]: one["ResourceType"] for one in resources}
    wrong += [f"{name} ({kind}) is missing" for name, kind in expected.items() if there.get(name) != kind]

    functions = client("lambda", url)
    machines = client("stepfunctions", url)
    for machine in ["migrate-service", "roll-back-service"]:
        arn = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{STACK}-{machine}"
        definition = machines.describe_state_machine(stateMachineArn=arn)["definition"]
        named = set(re.findall(r"arn:aws:lambda:[^\"]*", definition))
        if not named or "${" in definition:
            wrong.append(f"{machine}: something was not substituted")
        for function in named:
            name, _, version = function.removeprefix(f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:").partition(":")
            if not version.isdigit():
                wrong.append(f"{machine} names {function}, which is no published version")
                continue
            found = functions.get_function_configuration(FunctionName=name, Qualifier=version)
            if found["Runtime"] != "provided.al2023" or found["Timeout"] != 60:
                wrong.append(f"{function} is {found['Runtime']} with {found['Timeout']} s")
            if found["Environment"]["Variables"].get("CROSSFADE_TABLE") != STACK:
                wrong.append(f"{function} is not told its table")

    events = client("events", url)
    dead_letters = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{STACK}-dead-letters"
    rules = {
        rule["Name"]: events.list_targets_by_rule(Rule=rule["Name"])["Targets"] for rule in events.list_rules()["Rules"]
    }
    wanted = {
        "alarm-fires": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{STACK}-react-to-alarm:live",
        "execution-dies": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{STACK}-sweep-migrations:live",
        "every-minute": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{STACK}-sweep-migrations:live",
        "migration-changes": f"arn:aws:sns:{REGION}:{ACCOUNT}:{STACK}-notifications",
    }
    for rule, target in wanted.items():
        targets = rules.get(f"{STACK}-{rule}", [])
        if [one["Arn"] for one in targets] != [target]:
            wrong.append(f"rule {rule} leads to {targets}, expected {target}")
        elif targets[0].get("DeadLetterConfig", {}).get("Arn") != dead_letters:
            wrong.append(f"rule {rule} keeps nothing that it cannot deliver")

    table = client("dynamodb", url).describe_table(TableName=STACK)["Table"]
    if not table.get("DeletionProtectionEnabled") or not table.get("StreamSpecification", {}).get("StreamEnabled"):
        wrong.append("the table is not protected from deletion, or has no stream")
    dashboard = client("cloudwatch", url).get_dashboard(DashboardName=STACK)["DashboardBody"]
    if "${" in dashboard or len(json.loads(dashboard)["widgets"]) < 8:
        wrong.append("the dashboard is not whole")
    given = {output["OutputKey"] for output in stack.get("Outputs", [])}
    wrong += [f"there is no output {name}" for name in template["Outputs"].keys() - given]
    return wrong + look_at_ci(url, stack)


def look_at_ci(url, stack):
    """Whom the roles for continuous integration trust, and whether the address that was given is told."""
    wrong = []
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    iam = client("iam", url)
    for provider in ["GitHub", "GitLab"]:
        role = iam.get_role(RoleName=outputs[f"CiRoleFor{provider}"].rpartition("/")[2])["Role"]
        trust = role["AssumeRolePolicyDocument"]
        statement = (json.loads(trust) if isinstance(trust, str) else trust)["Statement"][0]
        (subjects,) = (value for key, value in statement["Condition"]["StringLike"].items() if key.endswith(":sub"))
        if subjects != PARAMETERS[f"{provider}Subjects"].split(","):
            wrong.append(f"the role for {provider} trusts {subjects}")
    topic = outputs["Notifications"]
    told = [one["Endpoint"] for one in client("sns", url).list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]]
    if told != [PARAMETERS["NotificationEmail"]]:
        wrong.append(f"the topic tells {told}")
    return wrong


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    template = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    changed = without_what_ministack_cannot_do(template)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        process, url = start(folder)
        try:
            stack, resources = create(url, upload(url, template), folder, PARAMETERS)
            wrong = look(url, template, stack, resources)
        finally:
            stop(process)
    for kind, count in sorted(collections.Counter(one["ResourceType"] for one in resources).items()):
        print(f"{count:4} {kind}")
    for line in changed:
        print(f"changed for ministack: {line}")
    print(f"{len(resources)} resources deployed by CloudFormation into ministack")
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
