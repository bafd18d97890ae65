#!/usr/bin/env python3
"""Expands the template, and writes the parts of our pages that come from the template and the state machines.

    python infra/tools/template.py expand [FILE]   prints the template as plain CloudFormation, offline
    python infra/tools/template.py permissions     lists every permission, with its reason, in infra/README.md
    python3 infra/tools/template.py pictures       draws the state machines in statemachine/README.md, as Mermaid

With `--check`, the last two write nothing and fail if the page is out of date. Drawing needs only Python's own library.
"""

import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "infra/template.yaml"


def expand(template):
    """Returns the template as CloudFormation receives it, with the state machines in it.

    cfn-lint does not look inside a SAM template. Only the expansion shows it a circular dependency, a wrong GetAtt in a
    policy or a variable of a state machine that nothing substitutes.
    """
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator
    from samtranslator.yaml_helper import yaml_parse

    document = yaml_parse(template.read_text(encoding="utf-8"))
    # The code is not uploaded yet. Any bucket will do, because nothing is fetched.
    place = lambda key: {"Bucket": "code-is-built-later", "Key": key}
    document["Globals"]["Function"]["CodeUri"] = place("function.zip")
    for name, resource in document["Resources"].items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::Function" and "CodeUri" in properties:
            properties["CodeUri"] = place(properties["CodeUri"])
        if resource["Type"] == "AWS::Serverless::StateMachine":
            path = template.parent / properties.pop("DefinitionUri")
            # Parsed first, so the error for a file that is not JSON names the file.
            try:
                properties["Definition"] = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                sys.exit(f"{name}: {path}: {error}")
    # Every role has its own statements, so the name of a managed policy must fail here.
    return Translator(managed_policy_map={}, sam_parser=Parser()).translate(document, parameter_values={})


# --- Permissions ------------------------------------------------------------------------------------------------------

HOLDERS = ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy")


def policies(resource):
    """Returns every policy document that grants something: a role's, a queue's or a topic's."""
    if resource["Type"] not in HOLDERS:
        return []
    properties = resource["Properties"]
    documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
    return documents + ([properties["PolicyDocument"]] if "PolicyDocument" in properties else [])


def reasons(lines):
    """Returns the comment above each statement that grants something, by resource."""
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


def listed(value):
    return value if isinstance(value, list) else [value]


def short(value):
    """Returns what an ARN names, without the account."""
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


def permissions():
    """Returns a table for each holder of permissions; the comment above a statement is its reason."""
    from samtranslator.yaml_helper import yaml_parse

    text = TEMPLATE.read_text(encoding="utf-8")
    why, lines = reasons(text.splitlines()), []
    for name, resource in yaml_parse(text)["Resources"].items():
        statements = [statement for document in policies(resource) for statement in document["Statement"]]
        if not statements:
            continue
        lines += [f"**{name}**", "", "| may | on | why |", "| --- | --- | --- |"]
        for statement, reason in zip(statements, why[name], strict=True):
            actions = ", ".join(f"`{action}`" for action in listed(statement["Action"]))
            on = [f"`{short(one)}`" for one in listed(statement["Resource"])]
            for keys in statement.get("Condition", {}).values():
                for key, value in keys.items():
                    on.append(f"where `{key}` is `{' or '.join(short(one) for one in listed(value))}`")
            lines.append(f"| {actions} | {', '.join(on)} | {reason} |")
        lines.append("")
    return {"permissions": "\n".join(lines)}


# --- Pictures ---------------------------------------------------------------------------------------------------------

SHAPES = {
    "Choice": ("{", "}"),
    "Map": ("[[", "]]"),
    "Wait": ("[/", "/]"),
    "Succeed": ("([", "])"),
    "Fail": ("([", "])"),
}
STYLES = {"Succeed": ":::success", "Fail": ":::failure"}


def identifier(name):
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def draw(machine):
    lines, caught = ["flowchart TD"], {}
    states = machine["States"]
    for name, state in states.items():
        opening, closing = SHAPES.get(state["Type"], ("[", "]"))
        lines.append(f'    {identifier(name)}{opening}"{name}"{closing}{STYLES.get(state["Type"], "")}')
    lines.append(f"    start(( )) --> {identifier(machine['StartAt'])}")
    for name, state in states.items():
        edges = {state["Next"]: []} if "Next" in state else {}
        for rule in state.get("Choices", []):
            # A verdict, or a field that the input has.
            label = rule.get("StringEquals") or rule["Variable"].removeprefix("$.")
            edges.setdefault(rule["Next"], []).append(label)
        if "Default" in state:
            edges.setdefault(state["Default"], []).append("else")
        for target, labels in edges.items():
            # "else" adds nothing where a named verdict leads to the same state.
            named = [label for label in labels if label != "else"] or labels
            label = f"|{', '.join(named)}|" if named else ""
            lines.append(f"    {identifier(name)} -->{label} {identifier(target)}")
        for catcher in state.get("Catch", []):
            errors = catcher["ErrorEquals"]
            if errors == ["States.ALL"]:
                # Nearly every task has this one, so it is drawn once for all of them.
                caught.setdefault(catcher["Next"], []).append(identifier(name))
            else:
                lines.append(f"    {identifier(name)} -.->|{', '.join(errors)}| {identifier(catcher['Next'])}")
    for target, sources in caught.items():
        for few in (sources[at : at + 5] for at in range(0, len(sources), 5)):
            lines.append(f"    {' & '.join(few)} -.->|any error| {identifier(target)}")
    lines.append("    classDef success fill:#d3f2d8,stroke:#1a7f37,color:#0b3d1b")
    lines.append("    classDef failure fill:#fde0dd,stroke:#b42318,color:#5c1009")
    return "\n".join(lines)


def pictures():
    drawn = {}
    for path in sorted((ROOT / "statemachine").glob("*.asl.json")):
        machine = json.loads(path.read_text(encoding="utf-8"))
        drawn[f"picture: {path.name.removesuffix('.asl.json')}"] = f"```mermaid\n{draw(machine)}\n```\n"
    return drawn


# --- Pages ------------------------------------------------------------------------------------------------------------

PAGES = {"permissions": ("infra/README.md", permissions), "pictures": ("statemachine/README.md", pictures)}


def pages(what):
    """Returns the path of a page, its text, and its text with every generated part up to date."""
    path, parts = ROOT / PAGES[what][0], PAGES[what][1]()
    written = current = path.read_text(encoding="utf-8")
    for name, part in parts.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        if begin not in current or end not in current:
            sys.exit(f"{path}: expected the lines {begin.strip()} and {end}")
        before, rest = current.split(begin, 1)
        current = f"{before}{begin}{part}{end}{rest.split(end, 1)[1]}"
    return path, written, current


def main(what, *flags):
    if what == "expand" and len(flags) < 2:
        json.dump(expand(pathlib.Path(*flags) if flags else TEMPLATE), sys.stdout, indent=2)
    elif what in PAGES and flags in ((), ("--check",)):
        path, written, current = pages(what)
        if flags and written != current:
            sys.exit(f"{path} is out of date: run `just {what}`")
        if written != current:
            path.write_text(current, encoding="utf-8")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:] or [None])
