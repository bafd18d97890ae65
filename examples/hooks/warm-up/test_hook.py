"""python3 -m unittest discover examples/hooks/warm-up"""

import http.server
import os
import socket
import threading
import unittest
from unittest import mock

import hook

GROUP = "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/crossfade-users/0123456789abcdef"


class Clock:
    """Time that passes only while someone waits for it, so the tests do not depend on how fast this machine is."""

    def __init__(self):
        self.time, self.lock = 0.0, threading.Lock()

    def now(self):
        return self.time

    def wait_until(self, at):
        with self.lock:
            self.time = max(self.time, at)

    def passes(self, seconds):
        with self.lock:
            self.time += seconds


class Instance:
    """An instance of the service, which is slow for its first requests."""

    def __init__(self, clock, latency=lambda answered: 0.0):
        # What it received: the method, the path, the Host header and the time.
        self.received, self.connections, self.status = [], 0, lambda path: 200
        instance = self

        class Endpoint(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self):
                super().setup()
                instance.connections += 1

            def reply(self):
                instance.received.append((self.command, self.path, self.headers["Host"], clock.now()))
                clock.passes(latency(len(instance.received) - 1))
                self.send_response(instance.status(self.path))
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            do_GET = do_POST = do_PUT = do_DELETE = reply

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def port(self):
        return self.server.server_port

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Aws:
    """What the hook asks of AWS: target health by group, and the addresses of instances."""

    def __init__(self):
        self.groups, self.addresses, self.error = {}, {}, None

    def describe_target_health(self, TargetGroupArn):
        if self.error:
            raise self.error
        return {
            "TargetHealthDescriptions": [
                {"Target": {"Id": id, "Port": port}, "TargetHealth": {"State": state}}
                for id, port, state in self.groups[TargetGroupArn]
            ]
        }

    def describe_instances(self, InstanceIds, NextToken="0"):
        # One to a page.
        id, after = InstanceIds[int(NextToken)], int(NextToken) + 1
        page = {"Reservations": [{"Instances": [{"InstanceId": id, "PrivateIpAddress": self.addresses[id]}]}]}
        return page if after == len(InstanceIds) else {**page, "NextToken": str(after)}


class AwsError(Exception):
    def __init__(self, code):
        super().__init__(code)
        self.response = {"Error": {"Code": code}}


class Hook(unittest.TestCase):
    def setUp(self):
        self.clock, self.aws = Clock(), Aws()
        time = mock.patch.multiple(hook, now=self.clock.now, wait_until=self.clock.wait_until, SECONDS_FOR_ONE=600)
        for patch in (time, mock.patch.object(hook, "client", lambda _: self.aws)):
            patch.start()
            self.addCleanup(patch.stop)
        self.another_process()
        self.environment(PATHS="/api/users/1 /api/users?page=2", REQUESTS="100", PACE="50")

    def another_process(self):
        hook.PROGRESS.update(migration=None, targets={})

    def environment(self, **variables):
        patch = mock.patch.dict(os.environ, variables)
        patch.start()
        self.addCleanup(patch.stop)

    def instances(self, count, *latency):
        instances = [Instance(self.clock, *latency) for _ in range(count)]
        for instance in instances:
            self.addCleanup(instance.close)
        self.healthy(*(instance.port for instance in instances))
        return instances

    def healthy(self, *ports):
        self.aws.groups[GROUP] = [("127.0.0.1", port, "healthy") for port in ports]

    def call(self, groups=(GROUP,), point="beforeFirstShift", migration="users-1"):
        asked = {"point": point, "function": "crossfade-hook-users-warm-up", "newTargetGroups": list(groups)}
        cursor = {"service": "users", "migration": migration, "weight": 5.0, "hook": asked}
        return hook.handler({"cursor": cursor, "execution": "arn:aws:states:::execution:x"})

    def test_every_target_answers_as_many_as_wanted_and_the_answer_says_so(self):
        instances = self.instances(3)
        self.environment(HOST="users.example.com")
        answer = self.call()
        self.assertEqual(answer["warmed"], 100)
        self.assertTrue(answer["reason"].startswith("sent 300 requests to 3 targets (100 each): p95 "), answer)
        for instance in instances:
            asked = {(method, host) for method, _, host, _ in instance.received}
            self.assertEqual(asked, {("GET", "users.example.com")})
            paths = [path for _, path, _, _ in instance.received]
            self.assertEqual((len(paths), paths.count("/api/users/1"), paths.count("/api/users?page=2")), (100, 50, 50))

    def test_it_says_how_the_latency_fell_and_continues_when_its_time_is_over(self):
        self.environment(REQUESTS="300")
        (instance,) = self.instances(1, lambda answered: 0.21 if answered < 200 else 0.009)
        with mock.patch.object(hook, "CONNECTIONS", 1):
            # Time for 100 requests of 0.21 seconds.
            with mock.patch.object(hook, "SECONDS_FOR_ALL", 20.9):
                with self.assertRaisesRegex(hook.Transient, "100 of 300 requests answered by the slowest target"):
                    self.call()
            answer = self.call()
        expected = "sent 300 requests to 1 target (300 each): p95 210 ms at first, 9 ms at the end"
        self.assertEqual(answer, {"reason": expected, "warmed": 300})
        self.assertEqual(self.call(), answer, "a repeated call sends nothing more")
        self.assertEqual(len(instance.received), 300)
        self.another_process()
        self.assertEqual(self.call()["warmed"], 300)
        self.assertEqual(len(instance.received), 600, "another process sends everything again, and counts no less")
        self.call(migration="users-2")
        self.assertEqual(len(instance.received), 900, "another migration has other targets, or colder ones")

    def test_it_keeps_its_pace_and_no_connection_for_long(self):
        (instance,) = self.instances(1)
        self.environment(PACE="10")
        with mock.patch.object(hook, "CONNECTIONS", 1):
            self.call()
        self.assertEqual(instance.connections, 100 / hook.REQUESTS_OF_A_CONNECTION)
        times = [time for _, _, _, time in instance.received]
        self.assertTrue(all(later - earlier > 0.099 for earlier, later in zip(times, times[1:])), times)

    def test_only_answers_below_500_count(self):
        (instance,) = self.instances(1)
        failing = iter([True] * (hook.FAILURES_IN_A_ROW - 1))
        instance.status = lambda path: 503 if next(failing, False) else 404
        answer = self.call()
        self.assertEqual((answer["warmed"], len(instance.received)), (100, 100 + hook.FAILURES_IN_A_ROW - 1))
        self.assertIn("; refused, which warms little: /api/users", answer["reason"])
        self.assertIn("Check PATHS and HOST", answer["reason"])

    def test_a_target_that_answers_only_errors_is_an_error_with_its_address(self):
        sick, well = self.instances(2)
        sick.status = lambda path: 503
        expected = rf"127.0.0.1:{sick.port} answers 503 to /api/users.* \(0 of 100 .*\): look at the target's log"
        with self.assertRaisesRegex(hook.Transient, "http://" + expected):
            self.call()
        self.assertEqual(len(well.received), 100, "the others are warmed all the same")
        self.assertLess(len(sick.received), hook.FAILURES_IN_A_ROW + hook.CONNECTIONS)
        sick.status = lambda path: 200
        self.assertEqual(self.call()["warmed"], 100, "a new call is a new chance")
        self.assertEqual(len(well.received), 100)

    def test_a_target_that_does_not_answer_is_an_error_with_its_address_until_it_is_no_longer_healthy(self):
        (well,) = self.instances(1)
        # A port that is taken, so no one else can take it, but on which no one listens.
        taken = socket.socket()
        self.addCleanup(taken.close)
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        self.healthy(well.port, port)
        with self.assertRaisesRegex(hook.Transient, f"http://127.0.0.1:{port} does not answer .* security group"):
            self.call()
        self.healthy(well.port)
        self.assertEqual(self.call()["warmed"], 100)
        self.assertEqual(len(well.received), 100)

    def test_what_a_target_answered_before_it_stopped_is_not_counted(self):
        target = hook.Target("10.0.0.1:8080")
        target.has_answered("/", 200, 0.1)
        target.has_failed("/", TimeoutError("timed out"))
        self.assertEqual(target.answered, 1)
        target.has_failed("/", ConnectionRefusedError("refused"))
        self.assertEqual(target.answered, 0)

    def test_targets_are_the_healthy_ones_of_all_groups_and_instances_have_addresses(self):
        self.aws.addresses = {"i-1": "10.0.0.1", "i-2": "10.0.0.2"}
        self.aws.groups = {
            "first": [("i-1", 30080, "healthy"), ("i-2", 30080, "healthy"), ("i-3", 30080, "unhealthy")],
            "second": [("10.0.0.1", 30080, "healthy"), ("fd00::1", 8080, "healthy"), ("10.0.0.9", 1, "draining")],
        }
        found = hook.healthy_addresses(["first", "second"], None)
        self.assertEqual(found, ["10.0.0.1:30080", "10.0.0.2:30080", "[fd00::1]:8080"])
        self.assertEqual(hook.healthy_addresses(["first"], 9000), ["10.0.0.1:9000", "10.0.0.2:9000"])

    def test_what_another_call_may_fix_is_transient(self):
        self.aws.groups[GROUP] = [("10.0.0.1", 8080, "initial")]
        with self.assertRaisesRegex(hook.Transient, f"no target of {GROUP} is healthy"):
            self.call()
        self.aws.error = AwsError("Throttling")
        with self.assertRaisesRegex(hook.Transient, "DescribeTargetHealth failed: Throttling"):
            self.call()
        # Step Functions retries by this name.
        self.assertEqual(hook.Transient.__name__, "Transient")

    def test_what_another_call_would_not_fix_has_another_name(self):
        def wrong(expected, **arguments):
            with self.assertRaisesRegex(hook.WrongInput, expected):
                self.call(**arguments)

        self.instances(1)
        wrong("not as afterEachShift", point="afterEachShift")
        wrong("newTargetGroups is missing", groups=())
        values = {"PATHS": "users", "REQUESTS": "0", "PACE": "fast", "SCHEME": "ftp", "PORT": "1e3"}
        for variable, value in values.items():
            with mock.patch.dict(os.environ, {variable: value}):
                wrong(f"{variable} is '{value}': expected")
        with mock.patch.dict(os.environ, PATHS=" "):
            wrong("PATHS is ' ': expected paths")
        self.aws.error = AwsError("AccessDenied")
        wrong("DescribeTargetHealth is denied: allow it in this function's role")
        self.aws.error = None
        self.aws.groups[GROUP] = [("arn:aws:lambda:eu-west-1:1:function:users", 0, "healthy")]
        wrong("is neither an instance nor an address")


if __name__ == "__main__":
    unittest.main()
