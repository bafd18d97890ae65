"""Checks the template offline, for what cfn-lint does not see."""

import json
import pathlib
import re
import tempfile
import unittest

import parliament

import template

# Stands in for what an intrinsic function returns: parliament wants ARNs.
PARAMETERS = {
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::AccountId": "123456789012",
    "AWS::StackName": "crossfade",
    "LoadBalancers": "prod-*",
    "OldTargetGroups": "swarm-*",
}
ARN_OF = {
    "AWS::Lambda::Function": "arn:aws:lambda:eu-west-1:123456789012:function:name",
    "AWS::DynamoDB::Table": "arn:aws:dynamodb:eu-west-1:123456789012:table/name",
    "AWS::Logs::LogGroup": "arn:aws:logs:eu-west-1:123456789012:log-group:name:*",
    "AWS::SQS::Queue": "arn:aws:sqs:eu-west-1:123456789012:name",
    "AWS::SNS::Topic": "arn:aws:sns:eu-west-1:123456789012:name",
    "AWS::Events::Rule": "arn:aws:events:eu-west-1:123456789012:rule/name",
}
# Findings of parliament that do not apply: the finding, a text in it, and the reason.
EXCEPTIONS = [
    ("RESOURCE_MISMATCH", "listener-rule/net", "the permission covers only application load balancers"),
    ("RESOURCE_MISMATCH", "listener/net", "the permission covers only application load balancers"),
    ("RESOURCE_MISMATCH", ":express:", "the state machines are standard ones"),
    ("RESOURCE_MISMATCH", ":mapRun:", "no state machine has a distributed map"),
    ("RESOURCE_STAR", "cloudwatch:DescribeAlarm", "composite alarms are only listed under `*`"),
    ("RESOURCE_STAR", "ec2:CreateNetworkInterface", "Lambda creates interfaces whose ARNs are not known before"),
    ("UNKNOWN_CONDITION_FOR_ACTION", "elasticloadbalancing:CreateAction", "it is newer than parliament's list"),
]
EVERY = None
# Parameters that are not at their defaults, and the description of each rule that refuses them.
RULES = [
    ({}, []),
    ({"GitHubProviderArn": "arn"}, ["With GitHubProviderArn, GitHubSubjects"]),
    ({"GitLabProviderArn": "arn"}, ["With GitLabProviderArn, GitLabSubjects"]),
    ({"ProbeSubnets": "subnet-1,subnet-2"}, ["With ProbeSubnets, ProbeSecurityGroups"]),
    ({"ProbeSecurityGroups": "sg-1"}, ["With ProbeSecurityGroups, ProbeSubnets"]),
    ({"ProbeSubnets": "subnet-1", "ProbeSecurityGroups": "sg-1,sg-2"}, []),
]
RESERVE = "  ReserveConcurrency:\n    Type: String\n    Default: "
# A text of the template, what replaces it, and how many functions then publish a new version.
CHANGES = [
    ("    Timeout: 60\n", "    Timeout: 61\n", EVERY),
    ("        RUST_LOG: info\n", "        RUST_LOG: debug\n", EVERY),
    ("      MemorySize: 512\n", "      MemorySize: 1024\n", 4),
    ("      Description: Writes the final record and releases the locks.\n", "      Description: Another.\n", 1),
    # A version holds none of these.
    ("    RollBack: { Reserved: 20 }\n", "    RollBack: { Reserved: 30 }\n", 0),
    (f'{RESERVE}"yes"\n', f'{RESERVE}"no"\n', 0),
    ("        MaximumEventAgeInSeconds: 3600\n", "        MaximumEventAgeInSeconds: 60\n", 0),
    ("    Default: 90\n", "    Default: 30\n", 0),
]


def arn_of(name, attribute, resources):
    arn = ARN_OF[resources[name]["Type"]]
    # A real label contains colons, which parliament would read as parts of the ARN.
    return f"{arn}/stream/label" if attribute == "StreamArn" else arn


def resolved(value, resources):
    """Returns a policy with an example in place of each intrinsic function."""

    def substitute(match):
        name, _, attribute = match.group(1).partition(".")
        return PARAMETERS.get(name) or arn_of(name, attribute, resources)

    if isinstance(value, list):
        return [resolved(one, resources) for one in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((function, argument),) = value.items()
        if function == "Ref":
            return PARAMETERS.get(argument) or arn_of(argument, "Arn", resources)
        if function == "Fn::GetAtt":
            return arn_of(argument[0], argument[1], resources)
        if function == "Fn::Sub":
            return re.sub(r"\$\{([^}]+)\}", substitute, argument)
    return {key: resolved(one, resources) for key, one in value.items()}


def versions(text):
    """Returns the logical names of the versions, each of which contains a hash of what the version holds."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "statemachine").symlink_to(template.ROOT / "statemachine")
        (folder / "infra").mkdir()
        copy = folder / "infra/template.yaml"
        copy.write_text(text, encoding="utf-8")
        resources = template.expand(copy)["Resources"]
    return {name for name, resource in resources.items() if resource["Type"] == "AWS::Lambda::Version"}


def holds(condition, values):
    """Evaluates a condition of a rule, as CloudFormation does before it creates anything."""
    if not isinstance(condition, dict):
        return condition
    ((function, argument),) = condition.items()
    if function == "Ref":
        return values[argument]
    found = [holds(one, values) for one in argument]
    return {
        "Fn::And": lambda: all(found),
        "Fn::Not": lambda: not found[0],
        "Fn::Equals": lambda: found[0] == found[1],
        "Fn::Contains": lambda: found[1] in found[0],
    }[function]()


def refusals(document, given):
    """Returns the descriptions of the rules that refuse these values of parameters."""
    values = {}
    for name, parameter in document["Parameters"].items():
        value = given.get(name, parameter.get("Default"))
        values[name] = value.split(",") if parameter["Type"] == "CommaDelimitedList" else value
    return [
        assertion["AssertDescription"]
        for rule in document["Rules"].values()
        if holds(rule["RuleCondition"], values)
        for assertion in rule["Assertions"]
        if not holds(assertion["Assert"], values)
    ]


class Template(unittest.TestCase):
    def test_a_parameter_without_its_companion_is_refused_before_anything_is_created(self):
        document = template.expand(template.TEMPLATE)
        for given, expected in RULES:
            with self.subTest(given=given):
                found = refusals(document, given)
                self.assertEqual(len(found), len(expected), found)
                for description, beginning in zip(found, expected):
                    self.assertTrue(description.startswith(beginning), description)

    def test_parliament_knows_every_action_with_its_resources_and_conditions(self):
        resources = template.expand(template.TEMPLATE)["Resources"]
        unknown, used = [], set()
        for name, resource in resources.items():
            for document in template.policies(resource):
                policy = json.dumps(resolved(document, resources))
                for finding in parliament.analyze_policy_string(policy).findings:
                    text = f"{name}: {finding.issue}: {finding.detail}"
                    known = [one for one in EXCEPTIONS if one[0] == finding.issue and one[1] in text]
                    used.update(known)
                    unknown += [] if known else [text]
        self.assertEqual(unknown, [])
        self.assertEqual(used, set(EXCEPTIONS), "an exception is no longer needed")

    def test_an_update_keeps_the_versions_that_running_executions_call(self):
        for name, resource in template.expand(template.TEMPLATE)["Resources"].items():
            if resource["Type"] == "AWS::Lambda::Version":
                self.assertEqual(resource.get("DeletionPolicy"), "Retain", name)

    def test_a_version_is_published_exactly_when_what_it_holds_changes(self):
        # The state machines call versions, so a change that publishes none does not reach them. If nothing in it has
        # changed, Lambda refuses it in the middle of a deployment ("A version for this Lambda function exists").
        text = template.TEMPLATE.read_text(encoding="utf-8")
        before = versions(text)
        for old, new, expected in CHANGES:
            with self.subTest(old=old):
                self.assertIn(old, text)
                published = versions(text.replace(old, new)) - before
                self.assertEqual(len(published), len(before) if expected is EVERY else expected)
