"""Starts ministack or moto, which simulate AWS and are not ours, and makes what they run."""

import contextlib
import io
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile

import boto3
from botocore.config import Config

STACK, REGION = "crossfade", "us-east-1"
ACCOUNTS = {"ministack": "000000000000", "moto": "123456789012"}
# No test measures time here; this only ends what hangs.
LIMIT_SECONDS = 1800


def free_port():
    """Returns a port below those that the system hands out, so that no other test takes it in the meantime."""
    for port in random.sample(range(20000, 30000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    sys.exit("no port is free between 20000 and 30000")


@contextlib.contextmanager
def running(interpreter, folder, settings):
    """Runs the interpreter in its own process group, and gives its URL once it answers."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    # Not our own environment: ministack passes its environment on to the functions.
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        **settings,
    }
    if interpreter == "ministack":
        command, ready = ["-m", "ministack"], f"{url}/_ministack/ready"
        environment |= {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "AWS_ENDPOINT_URL": url}
    else:
        command, ready = ["-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], f"{url}/moto-api/data.json"
    with (folder / f"{interpreter}.log").open("w") as log:
        streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
        process = subprocess.Popen(
            [sys.executable, *command], env=environment, cwd=folder, start_new_session=True, **streams
        )
    try:
        wait_until_ready(process, ready, log.name)
        yield url
    finally:
        # It leads a process group, so whatever it started ends with it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until_ready(process, ready, log):
    deadline = time.monotonic() + LIMIT_SECONDS
    while True:
        try:
            urllib.request.urlopen(ready, timeout=LIMIT_SECONDS).read()
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
            if process.poll() is not None or time.monotonic() > deadline:
                with open(log, encoding="utf-8") as text:
                    sys.exit(f"no answer from {ready}: {error}\n{text.read()[-2000:]}")
            time.sleep(0.1)


def client(service, url, region=REGION):
    quiet = Config(retries={"max_attempts": 0}, read_timeout=LIMIT_SECONDS)
    credentials = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client(service, endpoint_url=url, region_name=region, config=quiet, **credentials)


def package(program):
    """Returns a function's package with this program in it, which Lambda starts."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        bootstrap = zipfile.ZipInfo("bootstrap")
        bootstrap.external_attr, bootstrap.compress_type = 0o755 << 16, zipfile.ZIP_DEFLATED
        archive.writestr(bootstrap, program)
    return content.getvalue()
