"""An outside gate that asks Prometheus, or anything with its HTTP API (Thanos, Mimir, VictoriaMetrics). Copy and adapt
it.

Crossfade calls `handler` at each check of the gates with {"question": {...}, "execution": "<arn>"}. The question has
the service, the step, the weight, the target groups, the time of the shift and the time now (examples/hooks/README.md).
The answer is {"verdict": "go" | "hold" | "rollBack", "reason": "..."}.

An error is no verdict: Crossfade holds the weight and asks again at the next check. So no data is an error here, and so
is an answer from which data may be missing. Nothing that this function does not know lets a step pass.

Environment:
    PROMETHEUS_URL   the address of Prometheus, such as http://prometheus.internal:9090
    QUERY            PromQL. These words are replaced: $service, $weight (percent), $step, $seconds (since the shift).
                     Write $$ for a dollar sign. Every value of the answer is compared.
    ABOVE, BELOW     the threshold: exactly one of the two. A value beyond it is the reason to object.
    VERDICT          what to answer then: rollBack (if left out) or hold
    SECONDS          how long Prometheus may take, 8 if left out: less than the gate's timeout in the policy

It needs only Python's own library.
"""

import datetime
import json
import math
import os
import string
import urllib.error
import urllib.parse
import urllib.request

# What a reason shows of the series that are beyond the threshold.
MOST_SERIES = 3


class NoData(Exception):
    """The query answers nothing that can be compared."""


class Unreadable(Exception):
    """Prometheus did not answer, or not in full."""


class WrongSettings(Exception):
    """Someone must correct the environment of this function."""


def handler(event, _context=None):
    question = event["question"]
    is_beyond, words = threshold()
    verdict = setting("VERDICT", "rollBack")
    if verdict not in ("rollBack", "hold"):
        raise WrongSettings(f"VERDICT is {verdict!r}: expected rollBack or hold")
    query = " ".join(fill(setting("QUERY"), question).split())
    series, partial = ask(query, question["now"])
    beyond = [one for one in series if is_beyond(one[1])]
    if beyond:
        shown = ", ".join(f"{value:g}{labels}" for labels, value in beyond[:MOST_SERIES])
        answer = {"verdict": verdict, "reason": f"{shown} is {words}: {query}"}
    # A value beyond the threshold is one, whatever else is missing. Without one, everything has to be there.
    elif partial:
        raise Unreadable(f"the answer may not be complete ({partial}): {query}")
    elif not series or any(math.isnan(value) for _, value in series):
        raise NoData(f"no data: {query}")
    else:
        worst = max(series, key=lambda one: one[1] if words.startswith("above") else -one[1])
        answer = {"verdict": "go", "reason": f"{worst[1]:g}{worst[0]} is not {words}"}
    print(json.dumps({"service": question["service"], "gate": question["gate"], **answer}))
    return answer


def setting(name, default=None):
    value = os.environ.get(name, "").strip() or default
    if value is None:
        raise WrongSettings(f"{name} is not set")
    return value


def threshold():
    """Returns whether a value is beyond the threshold, and the threshold in words."""
    given = [name for name in ("ABOVE", "BELOW") if os.environ.get(name, "").strip()]
    if len(given) != 1:
        raise WrongSettings("expected exactly one of ABOVE and BELOW, each a number")
    try:
        limit = float(os.environ[given[0]])
    except ValueError:
        limit = math.nan
    if math.isnan(limit):
        raise WrongSettings(f"{given[0]} is {os.environ[given[0]]!r}: expected a number")
    words = f"{given[0].lower()} {limit:g}"
    # A value that is no number is beyond neither.
    return (lambda value: value > limit) if given == ["ABOVE"] else (lambda value: value < limit), words


def fill(query, question):
    """Returns the query with the words of this check."""
    seconds = (moment(question["now"]) - moment(question["shiftedAt"])).total_seconds()
    words = {
        "service": question["service"],
        "weight": question["weight"],
        "step": question["step"],
        # A range of no length is refused by Prometheus.
        "seconds": max(1, int(seconds)),
    }
    try:
        return string.Template(query).substitute(words)
    except (KeyError, ValueError) as error:
        known = ", ".join(f"${word}" for word in words)
        raise WrongSettings(f"QUERY: {error}: expected no words but {known}, and $$ for a dollar sign") from error


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def ask(query, now):
    """Returns the labels and the value of each series at a time, and why some may be missing."""
    form = urllib.parse.urlencode({"query": query, "time": moment(now).timestamp()}).encode()
    url = setting("PROMETHEUS_URL").rstrip("/") + "/api/v1/query"
    try:
        with urllib.request.urlopen(url, data=form, timeout=float(setting("SECONDS", "8"))) as response:
            text = response.read()
    except urllib.error.HTTPError as error:
        told = error.read().decode(errors="replace")[:200]
        # Prometheus answers 400 and 422 to a query that it cannot run.
        kind = WrongSettings if error.code in (400, 422) else Unreadable
        raise kind(f"{url} answered {error.code}: {told}") from error
    except OSError as error:
        raise Unreadable(f"{url} cannot be reached: {error}") from error
    try:
        answer = json.loads(text)
        kind, result = answer["data"]["resultType"], answer["data"]["result"]
        if kind == "scalar":
            series = [("", float(result[1]))]
        elif kind == "vector":
            series = [(labels_of(one["metric"]), float(one["value"][1])) for one in result]
        else:
            raise WrongSettings(f"QUERY answers with a {kind}: expected one value for each series")
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise Unreadable(f"{url} answered {text[:200]!r}: expected an answer of Prometheus") from error
    return series, "; ".join(answer.get("warnings") or [])


def labels_of(metric):
    labels = ", ".join(f"{name}={value}" for name, value in sorted(metric.items()))
    return f" ({labels})" if labels else ""
