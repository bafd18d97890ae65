"""python3 -m unittest discover examples/hooks/prometheus-gate

Runs a Prometheus of its own where the program is installed (Debian: apt-get install prometheus). Everywhere, it checks
answers that Prometheus 2.42 has given.
"""

import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest
import urllib.parse
from unittest import mock

import gate

ERROR_RATE = """100 * sum by (cluster) (increase(http_requests_total{service="$service", code=~"5.."}[5m]))
    / sum by (cluster) (increase(http_requests_total{service="$service"}[5m]))"""

# Of the new cluster's requests in five minutes, 60 of 600 have failed; of the old one's, none. `idle` had no requests.
SAMPLES = """# TYPE http_requests counter
http_requests_total{service="users",cluster="new",code="200"} 0 1767225630
http_requests_total{service="users",cluster="new",code="200"} 540 1767225870
http_requests_total{service="users",cluster="new",code="500"} 0 1767225630
http_requests_total{service="users",cluster="new",code="500"} 60 1767225870
http_requests_total{service="users",cluster="old",code="200"} 0 1767225630
http_requests_total{service="users",cluster="old",code="200"} 900 1767225870
http_requests_total{service="users",cluster="old",code="500"} 0 1767225630
http_requests_total{service="users",cluster="old",code="500"} 0 1767225870
http_requests_total{service="idle",cluster="new",code="200"} 5 1767225630
http_requests_total{service="idle",cluster="new",code="200"} 5 1767225870
http_requests_total{service="idle",cluster="new",code="500"} 0 1767225630
http_requests_total{service="idle",cluster="new",code="500"} 0 1767225870
# EOF
"""


def event(service="users", **changes):
    """What Crossfade calls a gate with."""
    question = {
        "gate": "errors-in-prometheus",
        "service": service,
        "migration": f"{service}-1",
        "step": 2,
        "weight": 5.0,
        "targetGroups": [{"old": "arn:old", "new": "arn:new"}],
        "shiftedAt": "2026-01-01T00:02:00Z",
        "now": "2026-01-01T00:05:00.25Z",
        **changes,
    }
    return {"question": question, "execution": "arn:aws:states:::execution:x"}


class Gate(unittest.TestCase):
    def environment(self, **variables):
        names = ("PROMETHEUS_URL", "QUERY", "ABOVE", "BELOW", "VERDICT", "SECONDS")
        # The tests are about what the gate says, not about how fast this machine is.
        given = {**{name: "" for name in names}, "QUERY": ERROR_RATE, "SECONDS": "600", **variables}
        patch = mock.patch.dict(os.environ, given)
        patch.start()
        self.addCleanup(patch.stop)


@unittest.skipUnless(shutil.which("prometheus") and shutil.which("promtool"), "prometheus is not installed")
class RealPrometheus(Gate):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        samples, data, config = (os.path.join(folder.name, name) for name in ("samples", "data", "config.yml"))
        with open(samples, "w") as file:
            file.write(SAMPLES)
        with open(config, "w") as file:
            file.write("\n")
        subprocess.run(
            ["promtool", "tsdb", "create-blocks-from", "openmetrics", samples, data], check=True, capture_output=True
        )
        server = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={data}", "--web.listen-address=127.0.0.1:0",
             "--storage.tsdb.retention.time=100y"],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        cls.addClassCleanup(server.stderr.close)
        cls.addClassCleanup(server.wait)
        cls.addClassCleanup(server.terminate)
        told = []
        for line in server.stderr:
            told.append(line)
            address = re.search(r'Listening on" address=(\S+)', line)
            if address:
                cls.url = f"http://{address[1]}/"
            if "Server is ready" in line:
                break
        else:
            raise AssertionError("".join(told))
        # It goes on telling; a full pipe would stop it.
        threading.Thread(target=server.stderr.read, daemon=True).start()

    def setUp(self):
        self.environment(PROMETHEUS_URL=self.url, ABOVE="5")

    def test_the_worse_cluster_is_named(self):
        answer = gate.handler(event())
        self.assertEqual(answer["verdict"], "rollBack")
        self.assertRegex(answer["reason"], r"^10 \(cluster=new\) is above 5: 100 \* sum")
        self.assertIn('service="users"', answer["reason"])

    def test_below_the_threshold_it_has_nothing_against_the_next_step(self):
        self.environment(PROMETHEUS_URL=self.url, ABOVE="10.5")
        expected = {"verdict": "go", "reason": "10 (cluster=new) is not above 10.5"}
        self.assertEqual(gate.handler(event()), expected)

    def test_no_requests_and_no_series_are_no_data(self):
        for service in ("idle", "unheard-of"):
            with self.assertRaisesRegex(gate.NoData, service):
                gate.handler(event(service))

    def test_the_words_of_the_check_and_a_threshold_below(self):
        query = "$weight * $step + $seconds"
        self.environment(PROMETHEUS_URL=self.url, QUERY=query, BELOW="191", VERDICT="hold")
        self.assertEqual(gate.handler(event()), {"verdict": "hold", "reason": "190 is below 191: 5.0 * 2 + 180"})

    def test_a_query_that_prometheus_cannot_run_is_a_wrong_setting(self):
        self.environment(PROMETHEUS_URL=self.url, QUERY="sum(", ABOVE="1")
        with self.assertRaisesRegex(gate.WrongSettings, "answered 400"):
            gate.handler(event())
        self.environment(PROMETHEUS_URL=self.url, QUERY="up[5m]", ABOVE="1")
        with self.assertRaisesRegex(gate.WrongSettings, "matrix"):
            gate.handler(event())


class RecordedAnswers(Gate):
    """What Prometheus has answered before, and what others in its place might."""

    def setUp(self):
        self.answer, self.status, self.asked = b"", 200, []
        test = self

        class Endpoint(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                test.asked.append((self.path, urllib.parse.parse_qs(form)))
                self.send_response(test.status)
                self.send_header("Content-Length", str(len(test.answer)))
                self.end_headers()
                self.wfile.write(test.answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.environment(PROMETHEUS_URL=self.url, ABOVE="5")

    def answers(self, *values, status=200, **fields):
        result = [{"metric": {"cluster": name}, "value": [1767225900, value]} for name, value in values]
        data = {"resultType": "vector", "result": result}
        self.answer, self.status = json.dumps({"status": "success", "data": data, **fields}).encode(), status

    def test_it_asks_for_the_moment_of_the_check(self):
        self.answers(("new", "1"))
        gate.handler(event())
        ((path, form),) = self.asked
        self.assertEqual((path, form["time"]), ("/api/v1/query", ["1767225900.25"]))
        self.assertIn('service="users"', form["query"][0])

    def test_one_value_beyond_the_threshold_is_enough(self):
        self.answers(("new", "10"), ("old", "NaN"))
        self.assertRegex(gate.handler(event())["reason"], r"^10 \(cluster=new\) is above 5: ")
        self.answers(("new", "+Inf"))
        self.assertEqual(gate.handler(event())["verdict"], "rollBack")

    def test_what_may_be_missing_lets_no_step_pass(self):
        self.answers(("new", "1"), ("old", "NaN"))
        with self.assertRaises(gate.NoData):
            gate.handler(event())
        self.answers()
        with self.assertRaises(gate.NoData):
            gate.handler(event())
        self.answers(("new", "1"), warnings=["no StoreAPIs matched"])
        with self.assertRaisesRegex(gate.Unreadable, "no StoreAPIs matched"):
            gate.handler(event())

    def test_what_is_no_answer_of_prometheus_is_unreadable(self):
        for answer in (b"", b"<html>", b"null", b"{}", b'{"data": {"resultType": "vector", "result": [{}]}}'):
            self.answer = answer
            with self.assertRaises(gate.Unreadable, msg=answer):
                gate.handler(event())
        self.answers(status=503)
        with self.assertRaisesRegex(gate.Unreadable, "answered 503"):
            gate.handler(event())
        # A port that is taken, so no one else can take it, but on which no one listens.
        taken = socket.socket()
        self.addCleanup(taken.close)
        taken.bind(("127.0.0.1", 0))
        self.environment(PROMETHEUS_URL=f"http://127.0.0.1:{taken.getsockname()[1]}", ABOVE="5")
        with self.assertRaisesRegex(gate.Unreadable, "cannot be reached"):
            gate.handler(event())

    def test_wrong_settings_say_what_is_expected(self):
        wrong = (
            (dict(ABOVE="", BELOW=""), "exactly one of ABOVE and BELOW"),
            (dict(ABOVE="1", BELOW="1"), "exactly one of ABOVE and BELOW"),
            (dict(ABOVE="five"), "ABOVE is 'five': expected a number"),
            (dict(ABOVE="nan"), "expected a number"),
            (dict(ABOVE="5", QUERY=""), "QUERY is not set"),
            (dict(ABOVE="5", QUERY="rate(x[$minutes])"), r"expected no words but \$service"),
            (dict(ABOVE="5", VERDICT="rollback"), "expected rollBack or hold"),
            (dict(ABOVE="5", PROMETHEUS_URL=""), "PROMETHEUS_URL is not set"),
        )
        for variables, told in wrong:
            self.environment(**{"PROMETHEUS_URL": self.url, **variables})
            with self.assertRaisesRegex(gate.WrongSettings, told):
                gate.handler(event())
        self.assertEqual(self.asked, [])


if __name__ == "__main__":
    unittest.main()
