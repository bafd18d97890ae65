#!/usr/bin/env python3
"""Runs the handler in FUNCTION_FOLDER/hook.py as AWS's own runtime for Python does.

The name of an error is the name of its class."""

import json
import os
import sys
import urllib.request

sys.dont_write_bytecode = True
sys.path.insert(0, os.environ["FUNCTION_FOLDER"])

import hook

# The test is about what a hook does, not about how fast this machine is.
hook.SECONDS_FOR_ALL = hook.SECONDS_FOR_ONE = 600

API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"

while True:
    with urllib.request.urlopen(f"{API}/next") as call:
        request, event = call.headers["Lambda-Runtime-Aws-Request-Id"], json.load(call)
    try:
        kind, answer = "response", hook.handler(event)
    except Exception as error:
        kind, answer = "error", {"errorType": type(error).__name__, "errorMessage": str(error)}
    urllib.request.urlopen(urllib.request.Request(f"{API}/{request}/{kind}", json.dumps(answer).encode())).close()
