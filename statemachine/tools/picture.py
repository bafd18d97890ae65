#!/usr/bin/env python3
"""Draws the machines into statemachine/README.md, as Mermaid, from the definitions themselves.

    python3 statemachine/tools/picture.py            # redraws
    python3 statemachine/tools/picture.py --check    # fails when a picture is not the machine's

Nothing but Python's own library is needed.
"""

import json
import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parent.parent
README = FOLDER / "README.md"
# Where an error leads from nearly every task; drawn once instead of once for each.
ERROR = "any error"


def identifier(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def node(name: str, state: dict) -> str:
    opening, closing = {
        "Choice": ("{", "}"),
        "Wait": ("[/", "/]"),
        "Pass": ("[", "]"),
        "Succeed": ("([", "])"),
        "Fail": ("([", "])"),
    }.get(state["Type"], ("[", "]"))
    style = {"Succeed": ":::success", "Fail": ":::failure"}.get(state["Type"], "")
    return f'    {identifier(name)}{opening}"{name}"{closing}{style}'


def condition(rule: dict) -> str:
    """What a rule of a choice asks: a verdict, or whether the input has a field."""
    return rule.get("StringEquals") or rule["Variable"].removeprefix("$.")


def draw(machine: dict) -> str:
    lines = ["flowchart TD"]
    states = machine["States"]
    lines += [node(name, state) for name, state in states.items()]
    lines.append(f"    start(( )) --> {identifier(machine['StartAt'])}")
    caught = {}
    for name, state in states.items():
        edges = {}
        if "Next" in state:
            edges.setdefault(state["Next"], [])
        for rule in state.get("Choices", []):
            edges.setdefault(rule["Next"], []).append(condition(rule))
        if "Default" in state:
            edges.setdefault(state["Default"], []).append("else")
        for target, labels in edges.items():
            # A default that only repeats where a named verdict leads would be noise.
            named = [label for label in labels if label != "else"] or labels
            label = f"|{', '.join(named)}|" if named else ""
            lines.append(f"    {identifier(name)} -->{label} {identifier(target)}")
        for catcher in state.get("Catch", []):
            errors = catcher["ErrorEquals"]
            if errors == ["States.ALL"]:
                caught.setdefault(catcher["Next"], []).append(name)
            else:
                lines.append(f"    {identifier(name)} -.->|{', '.join(errors)}| {identifier(catcher['Next'])}")
    for target, sources in caught.items():
        joined = " & ".join(identifier(source) for source in sources)
        lines.append(f"    {joined} -.->|{ERROR}| {identifier(target)}")
    lines.append("    classDef success fill:#d3f2d8,stroke:#1a7f37,color:#0b3d1b")
    lines.append("    classDef failure fill:#fde0dd,stroke:#b42318,color:#5c1009")
    return "\n".join(lines)


def redraw(text: str) -> str:
    for path in sorted(FOLDER.glob("*.asl.json")):
        name = path.name.removesuffix(".asl.json")
        begin, end = f"<!-- picture: {name} -->\n", f"<!-- end of picture: {name} -->"
        if begin not in text or end not in text:
            sys.exit(f"{README}: no place for the picture of {name}: expected the lines {begin.strip()} and {end}")
        before, rest = text.split(begin, 1)
        _, after = rest.split(end, 1)
        machine = json.loads(path.read_text(encoding="utf-8"))
        text = f"{before}{begin}```mermaid\n{draw(machine)}\n```\n{end}{after}"
    return text


def main() -> None:
    text = README.read_text(encoding="utf-8")
    drawn = redraw(text)
    if "--check" in sys.argv[1:]:
        if drawn != text:
            sys.exit(f"{README}: a picture is not its machine's: run python3 statemachine/tools/picture.py")
    elif drawn != text:
        README.write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    main()
