"""A hook that warms the new targets of a service before its first user. Copy and adapt it.

Name it in the policy as `beforeFirstShift`. It reads the healthy targets of the new target groups. Then it sends GET
requests to each of them directly, until each has answered as many as wanted. A JVM is slow for its first 2,000 requests
or so.

Crossfade calls `handler` with {"cursor": {...}, "execution": "<arn>"}. After an error with the name `Transient`, it
calls again, up to twelve times. Any other error rolls back before the first shift.

A call sends for at most 45 seconds. If that is not enough, it fails as `Transient`, and the next call continues. The
counts are in this process's memory. If Lambda has started another process, that one counts from 0: the targets get more
requests, never fewer. The hook only reads, so it is safe to repeat at any time.

Environment:
    PATHS      the paths to GET, separated by spaces, such as "/api/users/1 /api/users?page=2". It sends them in turn.
               Choose those that users call most. They must change nothing, and need no login.
    REQUESTS   the requests that each target has to answer; 2,000 by default
    PACE       the most requests in a second to each target; 50 by default
    HOST       the Host header, if the service needs one; the target's address by default
    SCHEME     http, the default, or https
    PORT       the port, if it is not the one with which the targets are registered

It needs Python's own library, and boto3, which is part of Lambda's runtime.
"""

import collections
import concurrent.futures
import http.client
import ipaddress
import json
import math
import os
import ssl
import threading
import time

# A call of the hook may take 60 seconds. It is better to fail and be called again than to time out.
SECONDS_FOR_ALL = 45
SECONDS_FOR_ONE = 10
# Connections to one target, and to all of them.
CONNECTIONS = 4
ALL_CONNECTIONS = 128
# Behind an instance's port there may be many pods, and all requests of a connection go to the same one.
REQUESTS_OF_A_CONNECTION = 10
# A target that fails this often in a row is not worth more requests in this call.
FAILURES_IN_A_ROW = 20
# The latencies of this many answers of each target are "at first", and of as many "at the end".
WINDOW = 100

# The targets of the migration that was warmed last, by address: another call continues here.
PROGRESS = {"migration": None, "targets": {}}


class Transient(Exception):
    """Not done yet: call again."""


class WrongInput(Exception):
    """Someone must fix something first: another call would not help."""


def handler(event, _context=None):
    deadline = now() + SECONDS_FOR_ALL
    cursor = event["cursor"]
    if cursor["hook"]["point"] != "beforeFirstShift":
        raise WrongInput(f"this hook warms targets as beforeFirstShift, not as {cursor['hook']['point']}")
    wanted = Wanted()
    targets = resume(cursor["migration"], healthy_addresses(cursor["hook"].get("newTargetGroups", []), wanted.port))
    warm(targets, wanted, deadline)
    report = {"reason": summary(targets), "warmed": min(target.answered for target in targets)}
    print(json.dumps({"service": cursor["service"], "point": cursor["hook"]["point"], **report}))
    failing = [target.problem(wanted) for target in targets if target.failures >= FAILURES_IN_A_ROW]
    if failing:
        raise Transient("; ".join(failing))
    if report["warmed"] < wanted.requests:
        raise Transient(f"{report['warmed']:,} of {wanted.requests:,} requests answered by the slowest target so far")
    return report


class Wanted:
    """What to send, from the environment."""

    def __init__(self):
        self.paths = os.environ.get("PATHS", "").split()
        if not self.paths or not all(path.startswith("/") and path.isascii() for path in self.paths):
            found = os.environ.get("PATHS")
            raise WrongInput(f"PATHS is {found!r}: expected paths such as /api/users/1, separated by spaces")
        self.requests = number("REQUESTS", 2000, 1, 1_000_000)
        self.pace = number("PACE", 50, 1, 10_000)
        self.host = os.environ.get("HOST") or None
        self.scheme = os.environ.get("SCHEME") or "http"
        if self.scheme not in ("http", "https"):
            raise WrongInput(f"SCHEME is {self.scheme!r}: expected http or https")
        self.port = number("PORT", None, 1, 65_535)


def number(variable, default, least, most):
    text = os.environ.get(variable, "").strip()
    if not text:
        return default
    if not text.isdecimal() or not least <= int(text) <= most:
        raise WrongInput(f"{variable} is {text!r}: expected a whole number from {least} to {most}")
    return int(text)


class Target:
    """What one target was sent, and what it answered."""

    def __init__(self, address):
        self.address = address
        self.lock = threading.Lock()
        self.sent = self.answered = self.under_way = 0
        self.failures, self.last_failure = 0, None
        self.refused = collections.Counter()
        self.first, self.last = [], collections.deque(maxlen=WINDOW)
        self.next_turn = -math.inf

    def turn(self, wanted, deadline):
        """Returns the path of the next request, or None if none is to be sent in this call."""
        with self.lock:
            at = max(now(), self.next_turn)
            enough = self.answered + self.under_way >= wanted.requests
            if enough or self.failures >= FAILURES_IN_A_ROW or at >= deadline:
                return None
            self.next_turn = at + 1 / wanted.pace
            self.under_way += 1
            path = wanted.paths[self.sent % len(wanted.paths)]
            self.sent += 1
        wait_until(at)
        return path

    def has_answered(self, path, status, seconds):
        with self.lock:
            self.under_way -= 1
            if status >= 500:
                self.failures, self.last_failure = self.failures + 1, f"answers {status} to {path}"
                return
            self.failures = 0
            self.answered += 1
            if status >= 400:
                self.refused[f"{path} with {status}"] += 1
            if len(self.first) < WINDOW:
                self.first.append(seconds)
            self.last.append(seconds)

    def has_failed(self, path, error):
        with self.lock:
            self.under_way -= 1
            self.failures, self.last_failure = self.failures + 1, f"does not answer {path}: {error}"
            if isinstance(error, ConnectionRefusedError):
                # Nobody listens, so what had answered so far has stopped: its successor is cold.
                self.answered = 0

    def problem(self, wanted):
        what_to_do = (
            "look at the target's log, and at PATHS and HOST of this function"
            if self.last_failure.startswith("answers")
            else "check that the target runs, and that its security group lets this function in at this port"
        )
        answered = f"{self.answered:,} of {wanted.requests:,} requests answered so far"
        return f"{wanted.scheme}://{self.address} {self.last_failure} ({answered}): {what_to_do}"


def resume(migration, addresses):
    """Returns the targets of a migration with what earlier calls have sent to those that are still healthy."""
    if PROGRESS["migration"] != migration:
        PROGRESS.update(migration=migration, targets={})
    known = PROGRESS["targets"]
    PROGRESS["targets"] = {address: known.get(address) or Target(address) for address in addresses}
    for target in PROGRESS["targets"].values():
        # A new call is a new chance, and starts without requests under way and without a turn of an earlier call.
        target.failures, target.under_way, target.next_turn = 0, 0, -math.inf
    return list(PROGRESS["targets"].values())


def warm(targets, wanted, deadline):
    """Sends until each target has answered enough, fails again and again, or the time is over."""
    connections = max(1, min(CONNECTIONS, ALL_CONNECTIONS // len(targets)))
    with concurrent.futures.ThreadPoolExecutor(min(connections * len(targets), ALL_CONNECTIONS)) as pool:
        running = [pool.submit(send, target, wanted, deadline) for target in targets for _ in range(connections)]
    for one in running:
        one.result()


def send(target, wanted, deadline):
    """Sends to one target over one connection at a time."""
    connection, left = None, 0
    while (path := target.turn(wanted, deadline)) is not None:
        if left == 0:
            connection, left = connect(target.address, wanted.scheme), REQUESTS_OF_A_CONNECTION
        began = now()
        try:
            connection.request("GET", path, headers={"Host": wanted.host or target.address})
            response = connection.getresponse()
            response.read()
            target.has_answered(path, response.status, now() - began)
            left = 0 if response.will_close else left - 1
        except (OSError, http.client.HTTPException) as error:
            target.has_failed(path, error)
            left = 0
        if left == 0:
            connection.close()
    if left > 0:
        connection.close()


def connect(address, scheme):
    host, port = address.rsplit(":", 1)
    if scheme == "http":
        return http.client.HTTPConnection(host.strip("[]"), int(port), timeout=SECONDS_FOR_ONE)
    # A certificate is for a name, and this is an address. Load balancers do not check targets' certificates either.
    unchecked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unchecked.check_hostname = False
    unchecked.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host.strip("[]"), int(port), timeout=SECONDS_FOR_ONE, context=unchecked)


def summary(targets):
    """Returns what was sent and how the latency fell, in one sentence."""
    answered = [target.answered for target in targets]
    fewest, most = min(answered), max(answered)
    each = f"{fewest:,} each" if fewest == most else f"{fewest:,} to {most:,} each"
    plural = "" if len(targets) == 1 else "s"
    told = f"sent {sum(target.sent for target in targets):,} requests to {len(targets):,} target{plural} ({each})"
    # Where there are few answers, none is both at first and at the end.
    parts = [(target, min(WINDOW, max(1, target.answered // 2))) for target in targets if target.first]
    if parts:
        first = p95([seconds for target, part in parts for seconds in target.first[:part]])
        last = p95([seconds for target, part in parts for seconds in list(target.last)[-part:]])
        told += f": p95 {first * 1000:.0f} ms at first, {last * 1000:.0f} ms at the end"
    refused = sum((target.refused for target in targets), collections.Counter())
    if refused:
        paths = ", ".join(f"{path} ({count:,})" for path, count in refused.most_common(5))
        told += f"; refused, which warms little: {paths}. Check PATHS and HOST"
    return told


def p95(seconds):
    return sorted(seconds)[math.ceil(0.95 * len(seconds)) - 1]


def healthy_addresses(groups, port):
    """Returns the addresses of the healthy targets, such as 10.0.1.5:8080. One in two groups is one target."""
    if not groups:
        raise WrongInput("cursor.hook.newTargetGroups is missing: update Crossfade to a version that has it")
    elb = client("elbv2")
    healthy = []
    for group in groups:
        described = asked("DescribeTargetHealth", elb.describe_target_health, TargetGroupArn=group)
        found = described["TargetHealthDescriptions"]
        found = [target["Target"] for target in found if target["TargetHealth"]["State"] == "healthy"]
        if not found:
            raise Transient(f"no target of {group} is healthy: look at the group's targets in the console")
        healthy.extend(found)
    ids = {target["Id"] for target in healthy}
    addresses = instance_addresses(sorted(id for id in ids if id.startswith("i-")))
    for id in ids - addresses.keys():
        addresses[id] = literal(id)
    return sorted({f"{addresses[target['Id']]}:{port or target['Port']}" for target in healthy})


def literal(id):
    try:
        address = ipaddress.ip_address(id)
    except ValueError:
        raise WrongInput(f"target {id} is neither an instance nor an address: this hook cannot warm it") from None
    return f"[{address}]" if address.version == 6 else str(address)


def instance_addresses(ids):
    """Returns the private address of each instance."""
    if not ids:
        return {}
    addresses, page = {}, {}
    while True:
        answer = asked("DescribeInstances", client("ec2").describe_instances, InstanceIds=ids, **page)
        for reservation in answer["Reservations"]:
            for instance in reservation["Instances"]:
                addresses[instance["InstanceId"]] = instance.get("PrivateIpAddress")
        if not answer.get("NextToken"):
            break
        page = {"NextToken": answer["NextToken"]}
    without = [id for id in ids if not addresses.get(id)]
    if without:
        raise Transient(f"instances without a private address: {', '.join(without)}")
    return addresses


def asked(operation, call, **arguments):
    """Returns what AWS answers. boto3 has retried whatever is worth a retry at once."""
    try:
        return call(**arguments)
    except Exception as error:
        code = getattr(error, "response", {}).get("Error", {}).get("Code", "")
        if "AccessDenied" in code or "Unauthorized" in code:
            raise WrongInput(f"{operation} is denied: allow it in this function's role. {error}") from error
        raise Transient(f"{operation} failed: {error}. This function's subnets need a way to AWS's APIs") from error


def client(service):
    import boto3
    import botocore.config

    # In a subnet without a way to AWS, a call has to fail before the function's own time is over.
    quick = botocore.config.Config(connect_timeout=4, read_timeout=8, retries={"total_max_attempts": 2})
    return boto3.client(service, config=quick)


def now():
    return time.monotonic()


def wait_until(at):
    time.sleep(max(0, at - now()))
