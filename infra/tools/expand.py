#!/usr/bin/env python3
"""Expands the SAM template into plain CloudFormation, offline and without credentials.

    python infra/tools/expand.py infra/template.yaml > expanded.json

cfn-lint looks at a SAM template only from outside: a circular dependency, a wrong GetAtt in a policy, a misspelt effect
or a state machine's variable that is not substituted are seen only in the expansion. So each state machine is read from
its file and put into the expansion, and code that is not built yet is given an address that looks like one.
"""

import json
import pathlib
import sys

from samtranslator.translator.translator import Translator
from samtranslator.parser.parser import Parser
from samtranslator.yaml_helper import yaml_parse

# Any bucket does: nothing is fetched.
CODE = {"Bucket": "code-is-built-later", "Key": "function.zip"}


def expand(template: pathlib.Path) -> dict:
    document = yaml_parse(template.read_text(encoding="utf-8"))
    document["Globals"]["Function"]["CodeUri"] = CODE
    for name, resource in document["Resources"].items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::StateMachine":
            path = template.parent / properties.pop("DefinitionUri")
            # Parsed first, so that a file that is not JSON is named here and not somewhere in the expansion.
            try:
                properties["Definition"] = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                sys.exit(f"{name}: {path}: {error}")
    # No managed policies: every role has its own statements, and a name from AWS's list is to fail here.
    translator = Translator(managed_policy_map={}, sam_parser=Parser())
    return translator.translate(document, parameter_values={})


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    json.dump(expand(pathlib.Path(sys.argv[1])), sys.stdout, indent=2)
