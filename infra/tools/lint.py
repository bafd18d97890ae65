#!/usr/bin/env python3
"""cfn-lint, with room for the state machines.

It follows a definition of many parts deeper than Python lets it by default.

python infra/tools/lint.py --template expanded.json
"""

import sys

from cfnlint.runner import main

sys.setrecursionlimit(20_000)
main()
