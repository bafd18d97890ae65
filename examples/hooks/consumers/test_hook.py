"""python3 -m unittest discover examples/hooks/consumers"""

import http.server
import json
import os
import socket
import threading
import unittest
from unittest import mock

import hook


class Instance:
    """An instance of the service, with the endpoint of ConsumersEndpoint.java."""

    def __init__(self, cluster, running, journal):
        self.cluster, self.running, self.journal = cluster, running, journal
        # What goes wrong: a status to answer with, or True for an instance that does not obey.
        self.status, self.stuck = None, False
        instance = self

        class Endpoint(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.reply()

            def do_POST(self):
                wanted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["running"]
                if instance.status is None and not instance.stuck:
                    instance.running = wanted
                    journal.append((instance.cluster, wanted))
                self.reply()

            def reply(self):
                body = json.dumps({"running": instance.running}).encode()
                self.send_response(instance.status or 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}/actuator/consumers"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Hook(unittest.TestCase):
    def setUp(self):
        # The tests are about what the hook does, not about how fast this machine is.
        patience = mock.patch.multiple(hook, SECONDS_FOR_ALL=600, SECONDS_FOR_ONE=600)
        patience.start()
        self.addCleanup(patience.stop)
        self.journal = []
        self.old = [Instance("old", True, self.journal) for _ in range(2)]
        self.new = [Instance("new", False, self.journal) for _ in range(2)]
        for instance in self.old + self.new:
            self.addCleanup(instance.close)
        self.environment(
            OLD_URLS=", ".join(instance.url for instance in self.old),
            NEW_URLS=",".join(instance.url for instance in self.new),
        )

    def environment(self, **variables):
        patch = mock.patch.dict(os.environ, variables)
        patch.start()
        self.addCleanup(patch.stop)

    def call(self, point, weight=0.0):
        cursor = {
            "service": "users",
            "weight": weight,
            "hook": {"point": point, "function": "crossfade-hook-consumers"},
        }
        return hook.handler({"cursor": cursor, "execution": "arn:aws:states:::execution:x"})

    def running(self):
        return [instance.running for instance in self.old], [instance.running for instance in self.new]

    def test_consumers_stay_until_the_last_step_and_then_move(self):
        self.call("beforeFirstShift")
        self.call("afterEachShift", 50.0)
        self.assertEqual(self.running(), ([True, True], [False, False]))
        self.assertEqual(self.journal, [], "an instance in the right state is not changed")
        self.call("afterEachShift", 100.0)
        self.assertEqual(self.running(), ([False, False], [True, True]))
        self.assertEqual(self.journal, [("old", False)] * 2 + [("new", True)] * 2, "both sides never consume")

    def test_after_a_rollback_they_return_however_far_they_were(self):
        self.environment(MOVE_AT="5")
        self.call("afterEachShift", 5.0)
        self.old[0].running = True
        for _ in range(2):
            self.call("afterRollback")
            self.assertEqual(self.running(), ([True, True], [False, False]))

    def test_nothing_is_started_while_the_other_side_still_runs(self):
        self.old[1].stuck = True
        with self.assertRaisesRegex(hook.Transient, "1 of 2 instances did not stop yet"):
            self.call("afterEachShift", 100.0)
        self.assertEqual(self.running()[1], [False, False])
        self.old[1].stuck = False
        self.call("afterEachShift", 100.0)
        self.assertEqual(self.running(), ([False, False], [True, True]))

    def test_an_unreachable_or_busy_instance_is_worth_another_call(self):
        self.new[0].status = 503
        with self.assertRaisesRegex(hook.Transient, "answered 503"):
            self.call("afterRollback")
        self.new[0].status = None
        # A port that is taken, so no one else can take it, but on which no one listens.
        taken = socket.socket()
        self.addCleanup(taken.close)
        taken.bind(("127.0.0.1", 0))
        self.environment(NEW_URLS=f"{self.new[0].url}, http://127.0.0.1:{taken.getsockname()[1]}/actuator/consumers")
        with self.assertRaisesRegex(hook.Transient, "cannot be reached"):
            self.call("afterRollback")

    def test_what_another_call_would_not_fix_has_another_name(self):
        self.old[0].status = 404
        with self.assertRaisesRegex(hook.WrongInput, "answered 404"):
            self.call("afterRollback")
        with self.assertRaisesRegex(hook.WrongInput, "'sometimes' is unknown"):
            self.call("sometimes")
        self.environment(OLD_URLS=" , ")
        with self.assertRaisesRegex(hook.WrongInput, "OLD_URLS is empty"):
            self.call("afterRollback")

    def test_lambda_tells_step_functions_the_name_that_is_retried(self):
        self.assertEqual(hook.Transient.__name__, "Transient")

    def test_every_address_of_a_name_is_asked(self):
        addresses = [(2, 1, 6, "", (address, 8081)) for address in ("10.0.0.2", "10.0.0.1", "10.0.0.2")]
        with mock.patch("socket.getaddrinfo", return_value=addresses):
            self.environment(NEW_URLS="http://users.prod.internal:8081/actuator/consumers")
            found = hook.endpoints("NEW_URLS")
        host = "users.prod.internal:8081"
        expected = [(f"http://10.0.0.{number}:8081/actuator/consumers", host) for number in (1, 2)]
        self.assertEqual(found, expected)


if __name__ == "__main__":
    unittest.main()
