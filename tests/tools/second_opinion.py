#!/usr/bin/env python3
"""Runs state machines on an interpreter that is not ours, with functions whose answers are scripted.

    python second_opinion.py ministack|moto FOLDER < job.json

The job is one line of JSON on stdin; the results are one object on stdout. When stdin closes, the interpreter's process
group is killed and this process ends. So nothing survives a test that was stopped.

    job = {"machines": {NAME: DEFINITION TEXT}, "functions": [NAME],
           "scenarios": {NAME: {"machine": NAME, "input": {...}, "answers": {FUNCTION: [ANSWER, ...]}}}}
    ANSWER = {"cursor": {...}} or {"error": CLASS, "message": TEXT}
    result = {SCENARIO: {"status", "error", "cause", "output", "states": [NAME, ...],
                         "calls": [[FUNCTION, PAYLOAD], ...]}}
"""

import http.server
import json
import pathlib
import re
import signal
import sys
import threading
import time
import urllib.parse
import urllib.request

sys.dont_write_bytecode = True
from simulated_aws import ACCOUNTS, LIMIT_SECONDS, REGION, STACK, client, package, running

# ministack starts a process for every call that finds no idle one; moto spends its time waiting.
AT_ONCE = {"ministack": 4, "moto": 100}

# What ministack runs as each function: a bootstrap that passes every event to this process. ministack's runtime for
# Python would call every error `Runtime.HandlerError`; the Runtime API keeps the name that the function gives.
BOOTSTRAP = """#!{python}
import json, os, urllib.request

RUNTIME = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
SCRIPT = os.environ["SCRIPT_URL"] + "/2015-03-31/functions/" + os.environ["SCRIPT_FUNCTION"] + "/invocations"

def post(url, body):
    return urllib.request.urlopen(urllib.request.Request(url, data=body), timeout={limit}).read()

while True:
    with urllib.request.urlopen(RUNTIME + "next") as event:
        request, body = event.headers["Lambda-Runtime-Aws-Request-Id"], event.read()
    answer = post(SCRIPT, body)
    kind = "/error" if "errorType" in json.loads(answer) else "/response"
    post(RUNTIME + request + kind, answer)
"""


class Script:
    """The functions' answers in order, and the calls that were made."""

    def __init__(self, scenarios: dict) -> None:
        self.left = {
            name: {function: list(answers) for function, answers in scenario["answers"].items()}
            for name, scenario in scenarios.items()
        }
        self.calls = {name: [] for name in scenarios}
        self.lock = threading.Lock()

    def answer(self, function: str, payload: dict) -> dict:
        execution = payload["execution"]
        scenario = execution.rsplit(":", 1)[1]
        with self.lock:
            self.calls[scenario].append([function, {**payload, "execution": "EXECUTION"}])
            answers = self.left[scenario].get(function)
            answer = answers.pop(0) if answers else {"error": "Internal", "message": f"{function} has no answer left"}
        if "error" in answer:
            return {"errorType": answer["error"], "errorMessage": answer["message"]}
        return answer["cursor"]


def serve(script: Script) -> str:
    """Serves Lambda's Invoke from the script; returns its address."""

    class Invoke(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            # /2015-03-31/functions/{name or ARN}/invocations
            name = urllib.parse.unquote(self.path.split("/")[3]).rsplit(":", 1)[-1]
            answer = script.answer(name.removeprefix(f"{STACK}-"), json.loads(body))
            data = json.dumps(answer).encode()
            self.send_response(200)
            if "errorType" in answer:
                self.send_header("X-Amz-Function-Error", "Unhandled")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Invoke)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def create_functions(url: str, script_url: str, functions: list[str]) -> None:
    program = BOOTSTRAP.replace("{python}", sys.executable).replace("{limit}", str(LIMIT_SECONDS))
    for name in functions:
        client("lambda", url).create_function(
            FunctionName=f"{STACK}-{name}",
            Runtime="provided.al2023",
            Role="arn:aws:iam::000000000000:role/any",
            Handler="bootstrap",
            Timeout=LIMIT_SECONDS,
            Code={"ZipFile": package(program)},
            Environment={"Variables": {"SCRIPT_URL": script_url, "SCRIPT_FUNCTION": name}},
        )


def function_arn(interpreter: str, name: str) -> str:
    return f"arn:aws:lambda:{REGION}:{ACCOUNTS[interpreter]}:function:{STACK}-{name}"


def substituted(definition: str, interpreter: str, functions: list[str]) -> str:
    for name in functions:
        logical = "".join(word.capitalize() for word in name.split("-")) + "Function"
        definition = definition.replace(f"${{{logical}}}", function_arn(interpreter, name))
    # Both interpreters measure a task's timeout in real time, which would make the result depend on this machine.
    return re.sub(r'"TimeoutSeconds": \d+', f'"TimeoutSeconds": {LIMIT_SECONDS}', definition)


def result_of(states, arn: str, calls: list) -> dict:
    names = []
    for page in states.get_paginator("get_execution_history").paginate(executionArn=arn):
        for event in page["events"]:
            if event["type"].endswith("StateEntered"):
                names.append(event["stateEnteredEventDetails"]["name"])
    described = states.describe_execution(executionArn=arn)
    output = described.get("output")
    return {
        "status": described["status"],
        "error": described.get("error"),
        "cause": described.get("cause"),
        "output": json.loads(output) if output else None,
        "states": names,
        "calls": calls,
    }


def run(interpreter: str, url: str, job: dict, script: Script) -> dict:
    states = client("stepfunctions", url)
    if interpreter == "moto":
        settings = json.dumps({"stepfunctions": {"execute_state_machine": True}}).encode()
        request = urllib.request.Request(f"{url}/moto-api/config", data=settings)
        urllib.request.urlopen(request, timeout=LIMIT_SECONDS).read()
    machines = {}
    for name, definition in job["machines"].items():
        created = states.create_state_machine(
            name=f"{STACK}-{name}",
            definition=substituted(definition, interpreter, job["functions"]),
            roleArn=f"arn:aws:iam::{ACCOUNTS[interpreter]}:role/any",
        )
        machines[name] = created["stateMachineArn"]
    waiting = list(job["scenarios"].items())
    running = {}
    deadline = time.monotonic() + LIMIT_SECONDS
    results = {}
    while waiting or running:
        while waiting and len(running) < AT_ONCE[interpreter]:
            name, scenario = waiting.pop(0)
            started = states.start_execution(
                stateMachineArn=machines[scenario["machine"]], name=name, input=json.dumps(scenario["input"])
            )
            running[name] = started["executionArn"]
        for name, arn in list(running.items()):
            if states.describe_execution(executionArn=arn)["status"] != "RUNNING":
                results[name] = result_of(states, arn, script.calls[name])
                del running[name]
        if time.monotonic() > deadline:
            raise TimeoutError(f"{interpreter} still runs {sorted(running)} after {LIMIT_SECONDS} s")
        time.sleep(0.05)
    return results


def main() -> None:
    interpreter, folder = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    job = json.loads(sys.stdin.readline())
    script = Script(job["scenarios"])
    script_url = serve(script)
    settings = {
        "ministack": {"SFN_WAIT_SCALE": "0.01"},
        # moto calls Lambda at the port that this variable names: ours, where the script answers.
        "moto": {"MOTO_PORT": script_url.rsplit(":", 1)[1]},
    }

    def stop_with_the_caller() -> None:
        sys.stdin.read()
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    threading.Thread(target=stop_with_the_caller, daemon=True).start()
    with running(interpreter, folder, settings[interpreter]) as url:
        if interpreter == "ministack":
            create_functions(url, script_url, job["functions"])
        results = run(interpreter, url, job, script)
    print(json.dumps(results), flush=True)


if __name__ == "__main__":
    main()
