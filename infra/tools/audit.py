#!/usr/bin/env python3
"""Audits the expanded template offline, for what cfn-lint does not see.

    python infra/tools/audit.py expanded.json

Every policy goes through parliament, which knows each action of AWS with the resources and conditions it takes.
Published versions of functions have to survive an update, since running executions call them.
"""

import json
import pathlib
import re
import sys

import parliament

# Stands for what an intrinsic function gives: parliament wants ARNs.
STANDS_FOR = {
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::AccountId": "123456789012",
    "AWS::StackName": "crossfade",
}
ARN_OF = {
    "AWS::Lambda::Function": "arn:aws:lambda:eu-west-1:123456789012:function:name",
    "AWS::DynamoDB::Table": "arn:aws:dynamodb:eu-west-1:123456789012:table/name",
    "AWS::Logs::LogGroup": "arn:aws:logs:eu-west-1:123456789012:log-group:name:*",
    "AWS::SQS::Queue": "arn:aws:sqs:eu-west-1:123456789012:name",
    "AWS::SNS::Topic": "arn:aws:sns:eu-west-1:123456789012:name",
    "AWS::Events::Rule": "arn:aws:events:eu-west-1:123456789012:rule/name",
}
# What parliament says and we know better: the finding, a text in it, and why.
EXCEPTIONS = [
    ("RESOURCE_MISMATCH", "listener-rule/net", "the right is on application load balancers alone"),
    ("RESOURCE_MISMATCH", "listener/net", "the right is on application load balancers alone"),
    ("RESOURCE_MISMATCH", ":express:", "the machines are standard ones"),
    ("RESOURCE_MISMATCH", ":mapRun:", "no machine has a distributed map"),
    ("RESOURCE_STAR", "cloudwatch:DescribeAlarm", "composite alarms are listed under nothing but `*`"),
    ("UNKNOWN_CONDITION_FOR_ACTION", "elasticloadbalancing:CreateAction", "it is newer than parliament's list"),
]


def resolve(value, resources):
    if isinstance(value, list):
        return [resolve(one, resources) for one in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((function, argument),) = value.items()
        if function == "Ref":
            return STANDS_FOR.get(argument) or arn_of(argument, "Arn", resources)
        if function == "Fn::GetAtt":
            return arn_of(argument[0], argument[1], resources)
        if function == "Fn::Sub":
            return re.sub(r"\$\{([^}]+)\}", lambda name: substitute(name.group(1), resources), argument)
    return {key: resolve(one, resources) for key, one in value.items()}


def substitute(name, resources):
    if name in STANDS_FOR:
        return STANDS_FOR[name]
    resource, _, attribute = name.partition(".")
    return arn_of(resource, attribute, resources)


def arn_of(resource, attribute, resources):
    arn = ARN_OF[resources[resource]["Type"]]
    # A real label has colons, which parliament takes for parts of the ARN.
    return f"{arn}/stream/label" if attribute == "StreamArn" else arn


def policies(resources):
    """Every policy that grants something, to a role or by a queue or a topic: its place and its document."""
    for name, resource in resources.items():
        properties = resource.get("Properties", {})
        for policy in properties.get("Policies", []) if resource["Type"] == "AWS::IAM::Role" else []:
            yield name, policy["PolicyDocument"]
        if resource["Type"] in ("AWS::IAM::ManagedPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"):
            yield name, properties["PolicyDocument"]


def audit(template):
    resources = template["Resources"]
    found, used, audited = [], set(), 0
    for name, document in policies(resources):
        audited += 1
        analysed = parliament.analyze_policy_string(json.dumps(resolve(document, resources)))
        for finding in analysed.findings:
            text = f"{name}: {finding.issue}: {finding.detail}"
            known = [one for one in EXCEPTIONS if one[0] == finding.issue and one[1] in text]
            used.update(known)
            if not known:
                found.append(text)
    found += [f"this exception is not needed any more: {one}" for one in EXCEPTIONS if one not in used]
    for name, resource in resources.items():
        if resource["Type"] == "AWS::Lambda::Version" and resource.get("DeletionPolicy") != "Retain":
            found.append(f"{name}: a version that an update would delete")
    return audited, found


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    audited, found = audit(json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")))
    print(f"{audited} policies audited")
    if found:
        sys.exit("\n".join(found))
