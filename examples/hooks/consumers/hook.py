"""A hook that moves a service's Kafka consumers with its traffic. Copy and adapt it.

Every instance of the service needs an admin endpoint. It reports whether the instance's listeners run, and starts or
stops them, like the Spring Boot endpoint in ConsumersEndpoint.java:

    GET  URL  ->  {"running": true}
    POST URL  {"running": false}

Crossfade calls `handler` with {"cursor": {...}, "execution": "<arn>"}. It ignores the answer, but not a failure. After
an error with the name `Transient`, it calls again, up to twelve times. Any other error rolls back, or halts after a
rollback.

The function sets a state and does not count calls, so it is safe to repeat at any time. It stops the side that must not
consume and checks that it has stopped. Only then does it start the other side. The two sides never consume at once.

Environment:
    OLD_URLS, NEW_URLS   the endpoints of each cluster, separated by commas. If a name has several addresses, like
                         that of a headless service, the hook calls each of them.
    MOVE_AT              the weight, in percent, at which the consumers move to the new cluster; 100 by default

It needs only Python's own library.
"""

import json
import os
import socket
import time
import urllib.error
import urllib.parse
import urllib.request

# A call of the hook may take 60 seconds. It is better to fail and be called again than to time out.
SECONDS_FOR_ALL = 45
SECONDS_FOR_ONE = 5


class Transient(Exception):
    """Not done yet: call again."""


class WrongInput(Exception):
    """Someone must fix something first: another call would not help."""


def handler(event, _context=None):
    cursor = event["cursor"]
    to_new = consumes_on_new(cursor["hook"]["point"], cursor["weight"])
    deadline = time.monotonic() + SECONDS_FOR_ALL
    leaving, arriving = ("OLD_URLS", "NEW_URLS") if to_new else ("NEW_URLS", "OLD_URLS")
    stopped = set_running(endpoints(leaving), False, deadline)
    started = set_running(endpoints(arriving), True, deadline)
    answer = {"consumers": "new" if to_new else "old", "stopped": stopped, "started": started}
    print(json.dumps({"service": cursor["service"], "point": cursor["hook"]["point"], **answer}))
    return answer


def consumes_on_new(point, weight):
    """Returns whether the new cluster should consume: never after a rollback, always when the old side is retired."""
    if point in ("beforeRetire", "afterRetire"):
        return True
    if point in ("beforeFirstShift", "afterRollback"):
        return False
    if point == "afterEachShift":
        return weight >= float(os.environ.get("MOVE_AT", "100"))
    raise WrongInput(f"hook point {point!r} is unknown")


def endpoints(variable):
    """Returns the URL and the Host header of every instance of a cluster."""
    urls = [url.strip() for url in os.environ.get(variable, "").split(",") if url.strip()]
    if not urls:
        raise WrongInput(f"{variable} is empty: expected the URLs of the endpoints, separated by commas")
    found = []
    for url in urls:
        parts = urllib.parse.urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        if parts.scheme == "https":
            # A certificate is for a name, not for an address, so each instance needs its own name.
            found.append((url, parts.netloc))
            continue
        try:
            addresses = socket.getaddrinfo(parts.hostname, port, socket.AF_INET, socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise Transient(f"{variable}: {parts.hostname} cannot be resolved: {error}") from error
        for address in sorted({entry[4][0] for entry in addresses}):
            found.append((parts._replace(netloc=f"{address}:{port}").geturl(), parts.netloc))
    return found


def set_running(instances, wanted, deadline):
    """Sets the state of every instance, reads each one back, and returns how many there are."""
    for instance in instances:
        if ask(instance, deadline)["running"] != wanted:
            ask(instance, deadline, {"running": wanted})
    lagging = [url for url, host in instances if ask((url, host), deadline)["running"] != wanted]
    if lagging:
        state = "start" if wanted else "stop"
        raise Transient(f"{len(lagging)} of {len(instances)} instances did not {state} yet: {', '.join(lagging)}")
    return len(instances)


def ask(instance, deadline, body=None):
    url, host = instance
    left = deadline - time.monotonic()
    if left <= 0:
        raise Transient(f"no time left for {url}")
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json", "Host": host})
    try:
        with urllib.request.urlopen(request, timeout=min(left, SECONDS_FOR_ONE)) as response:
            text = response.read()
    except urllib.error.HTTPError as error:
        if error.code >= 500 or error.code == 429:
            raise Transient(f"{url} answered {error.code}") from error
        raise WrongInput(f"{url} answered {error.code}: {error.read().decode(errors='replace')[:200]}") from error
    except OSError as error:
        raise Transient(f"{url} cannot be reached: {error}") from error
    if body is not None and not text:
        return {"running": body["running"]}
    try:
        answer = json.loads(text)
        if isinstance(answer["running"], bool):
            return answer
    except (ValueError, KeyError, TypeError):
        pass
    raise WrongInput(f'{url} answered {text[:200]!r}: expected {{"running": true or false}}')
