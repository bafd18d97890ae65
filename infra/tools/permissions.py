#!/usr/bin/env python3
"""Writes every permission of the template, with its reason, into infra/README.md.

    python infra/tools/permissions.py            writes it
    python infra/tools/permissions.py --check    fails where the page and the template differ

What a statement is for stands in the comment above it, so the page says what the template says.
"""

import pathlib
import re
import sys

from samtranslator.yaml_helper import yaml_parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "infra/template.yaml"
PAGE = ROOT / "infra/README.md"
BEGIN, END = "<!-- permissions -->", "<!-- end of permissions -->"
HOLDERS = ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy")


def reasons(lines):
    """The comment above each statement that grants something, by the resource it stands in."""
    found, resource, comment = {}, None, []
    for number, line in enumerate(lines):
        named = re.fullmatch(r"  (\w+):", line)
        if named:
            resource = named.group(1)
        if line.strip().startswith("# "):
            comment.append(line.strip()[2:])
            continue
        if line.strip() == "- Effect: Allow" and "sts:AssumeRole" not in lines[number + 1]:
            found.setdefault(resource, []).append(" ".join(comment))
        comment = []
    return found


def statements(resource):
    properties = resource["Properties"]
    documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
    documents += [properties["PolicyDocument"]] if "PolicyDocument" in properties else []
    return [statement for document in documents for statement in document["Statement"]]


def listed(value):
    return value if isinstance(value, list) else [value]


def short(value):
    """What an ARN names, without the account."""
    if isinstance(value, str):
        return "everything" if value == "*" else value
    ((function, argument),) = value.items()
    if function == "Ref":
        return argument
    if function == "Fn::GetAtt":
        return argument[0] if argument[1] == "Arn" else ".".join(argument)
    text = re.sub(r"^arn:\$\{AWS::Partition\}:[a-z]+:\$\{AWS::Region\}:\$\{AWS::AccountId\}:", "", argument)
    text = re.sub(r"^\$\{(\w+)\.Arn\}:\*$", r"\1, any version", text)
    return text.replace("${AWS::StackName}", "<stack>")


def condition(statement):
    parts = []
    for keys in statement.get("Condition", {}).values():
        for key, value in keys.items():
            values = " or ".join(short(one) for one in listed(value))
            parts.append(f"where `{key}` is `{values}`")
    return parts


def page():
    text = TEMPLATE.read_text(encoding="utf-8")
    document, why = yaml_parse(text), reasons(text.splitlines())
    lines = []
    for name, resource in document["Resources"].items():
        if resource["Type"] not in HOLDERS or not statements(resource):
            continue
        lines += [f"**{name}**", "", "| may | on | why |", "| --- | --- | --- |"]
        for statement, reason in zip(statements(resource), why[name], strict=True):
            actions = ", ".join(f"`{action}`" for action in listed(statement["Action"]))
            resources = ", ".join(f"`{short(one)}`" for one in listed(statement["Resource"]))
            lines.append(f"| {actions} | {', '.join([resources, *condition(statement)])} | {reason} |")
        lines.append("")
    return "\n".join(lines)


def main():
    written = PAGE.read_text(encoding="utf-8")
    before, rest = written.split(BEGIN)
    _, after = rest.split(END)
    wanted = f"{before}{BEGIN}\n{page()}{END}{after}"
    if "--check" in sys.argv[1:]:
        if wanted != written:
            sys.exit("infra/README.md does not say what the template allows: run `just permissions`")
        return
    PAGE.write_text(wanted, encoding="utf-8")


if __name__ == "__main__":
    main()
