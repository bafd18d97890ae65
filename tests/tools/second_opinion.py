#!/usr/bin/env python3
"""Runs state machines on an interpreter that is not ours, with functions that answer from a script.

    python second_opinion.py ministack|moto FOLDER < job.json

The job is one line of JSON on stdin; the results are one object on stdout. Stdin stays open while the work is wanted:
when it closes, the interpreter's process group is killed and this process ends, so that nothing survives a test that
was stopped.

    job = {"machines": {NAME: DEFINITION TEXT}, "functions": [NAME],
           "scenarios": {NAME: {"machine": NAME, "input": {...}, "answers": {FUNCTION: [ANSWER, ...]}}}}
    ANSWER = {"cursor": {...}} or {"error": CLASS, "message": TEXT}
    result = {SCENARIO: {"status", "error", "cause", "output", "states": [NAME, ...],
                         "calls": [[FUNCTION, PAYLOAD], ...]}}
"""

import contextlib
import http.server
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
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile

import boto3
from botocore.config import Config

STACK = "crossfade"
REGION = "us-east-1"
ACCOUNTS = {"ministack": "000000000000", "moto": "123456789012"}
# ministack starts a process for every call that meets no idle one; moto spends its time waiting.
AT_ONCE = {"ministack": 4, "moto": 100}
# Nothing here is measured; only what hangs is to end.
PATIENCE = 900

# What ministack runs as each function: a bootstrap that hands every event on to this process. Its own runtime for
# Python would call every error `Runtime.HandlerError`; the Runtime API keeps the name that the function gives.
BOOTSTRAP = """#!{python}
import json, os, urllib.request

RUNTIME = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
SCRIPT = os.environ["SCRIPT_URL"] + "/2015-03-31/functions/" + os.environ["SCRIPT_FUNCTION"] + "/invocations"

def post(url, body):
    return urllib.request.urlopen(urllib.request.Request(url, data=body), timeout={patience}).read()

while True:
    with urllib.request.urlopen(RUNTIME + "next") as event:
        request, body = event.headers["Lambda-Runtime-Aws-Request-Id"], event.read()
    answer = post(SCRIPT, body)
    kind = "/error" if "errorType" in json.loads(answer) else "/response"
    post(RUNTIME + request + kind, answer)
"""


class Script:
    """The functions' answers, in order, and what they were called with."""

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
    """Lambda's Invoke, answered from the script; returns its address."""

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


def free_port() -> int:
    """One below those that the system gives to whoever asks for any, as other tests do at the same time."""
    for port in random.sample(range(20000, 30000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    sys.exit("no port is free between 20000 and 30000")


def start(interpreter: str, folder: pathlib.Path, script_url: str) -> tuple[subprocess.Popen, str]:
    """Starts the interpreter in a group of its own and waits until it answers."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    # A clean environment: ministack hands its own to the functions.
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
    }
    if interpreter == "ministack":
        command = [sys.executable, "-m", "ministack"]
        environment |= {
            "GATEWAY_PORT": str(port),
            "BIND_HOST": "127.0.0.1",
            "AWS_ENDPOINT_URL": url,
            "SFN_WAIT_SCALE": "0.01",
        }
        ready = f"{url}/_ministack/ready"
    else:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        # moto calls Lambda at the port that this variable names: ours, where the script answers.
        environment |= {"MOTO_PORT": script_url.rsplit(":", 1)[1]}
        ready = f"{url}/moto-api/data.json"
    log = (folder / f"{interpreter}.log").open("w")
    process = subprocess.Popen(
        command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
    )
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            urllib.request.urlopen(ready, timeout=PATIENCE).read()
            return process, url
        except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
            if process.poll() is not None:
                sys.exit(f"{interpreter} ended with {process.returncode} before it answered; see {log.name}")
            if time.monotonic() > deadline:
                stop(process)
                sys.exit(f"{interpreter} did not answer at {ready} within {PATIENCE} s: {error}; see {log.name}")
            time.sleep(0.1)


def stop(process: subprocess.Popen) -> None:
    """Ends the interpreter and whatever it started: it leads a process group of its own."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def client(service: str, url: str):
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"max_attempts": 0}, read_timeout=PATIENCE),
    )


def create_functions(url: str, script_url: str, functions: list[str]) -> None:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        bootstrap = zipfile.ZipInfo("bootstrap")
        bootstrap.external_attr = 0o755 << 16
        archive.writestr(bootstrap, BOOTSTRAP.replace("{python}", sys.executable).replace("{patience}", str(PATIENCE)))
    for name in functions:
        client("lambda", url).create_function(
            FunctionName=f"{STACK}-{name}",
            Runtime="provided.al2023",
            Role="arn:aws:iam::000000000000:role/any",
            Handler="bootstrap",
            Timeout=PATIENCE,
            Code={"ZipFile": package.getvalue()},
            Environment={"Variables": {"SCRIPT_URL": script_url, "SCRIPT_FUNCTION": name}},
        )


def function_arn(interpreter: str, name: str) -> str:
    return f"arn:aws:lambda:{REGION}:{ACCOUNTS[interpreter]}:function:{STACK}-{name}"


def substituted(definition: str, interpreter: str, functions: list[str]) -> str:
    for name in functions:
        logical = "".join(word.capitalize() for word in name.split("-")) + "Function"
        definition = definition.replace(f"${{{logical}}}", function_arn(interpreter, name))
    # Both wait in real time for a task: a scenario in which a function takes too long would say how fast this machine
    # is.
    return re.sub(r'"TimeoutSeconds": \d+', f'"TimeoutSeconds": {PATIENCE}', definition)


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
        urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/config", data=settings), timeout=PATIENCE).read()
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
    deadline = time.monotonic() + PATIENCE
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
            raise TimeoutError(f"{interpreter} still runs {sorted(running)} after {PATIENCE} s")
        time.sleep(0.05)
    return results


def main() -> None:
    interpreter, folder = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    job = json.loads(sys.stdin.readline())
    script = Script(job["scenarios"])
    script_url = serve(script)
    process, url = start(interpreter, folder, script_url)

    def end_with_the_caller() -> None:
        sys.stdin.read()
        stop(process)
        os._exit(1)

    threading.Thread(target=end_with_the_caller, daemon=True).start()
    try:
        if interpreter == "ministack":
            create_functions(url, script_url, job["functions"])
        results = run(interpreter, url, job, script)
    finally:
        stop(process)
    print(json.dumps(results), flush=True)


if __name__ == "__main__":
    main()
