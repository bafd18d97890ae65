"""Deploys the template with CloudFormation into ministack, and checks what was created.

    PYTHONPATH=tests/tools:infra/tools python -m unittest test_stack.Template     with empty packages
    PYTHONPATH=tests/tools:infra/tools python -m unittest test_stack.Migration    from dist/; then moves a service

Both work offline and without credentials, on .tools/expanded.json and .tools/packaged.json, which is also what
CloudFormation receives on AWS. What ministack cannot do is changed as little as possible and printed. All other
resources must exist in the end, with the names, targets and versions that the template gives them.
"""

import collections
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import unittest

import deploy
import package
import simulated_aws

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXPANDED = ROOT / ".tools/expanded.json"
# What `just package` made, and its template, expanded.
DIST, PACKAGED = ROOT / "dist", ROOT / ".tools/packaged.json"
STACK, ACCOUNT = simulated_aws.STACK, simulated_aws.ACCOUNTS["ministack"]
# With these, the resources that depend on a condition are created too.
PARAMETERS = {
    "FleetsFromCi": "yes",
    "NotificationEmail": "ops@example.com",
    "GitHubProviderArn": f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com",
    "GitHubSubjects": "repo:acme/users:ref:refs/heads/main,repo:acme@123456/shop@456789:ref:refs/heads/main",
    "GitLabProviderArn": f"arn:aws:iam::{ACCOUNT}:oidc-provider/gitlab.com",
    "GitLabSubjects": "project_path:acme/users:ref_type:branch:ref:main",
}


class Ministack(unittest.TestCase):
    """A template, and the folder and the ministack into which it is deployed."""

    region = simulated_aws.REGION
    expanded = EXPANDED

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.template = json.loads(self.expanded.read_text(encoding="utf-8"))
        # A metric computed from others becomes the first of them.
        for name, resource in self.template["Resources"].items():
            properties = resource.get("Properties", {})
            if resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in properties:
                first = next(metric["MetricStat"] for metric in properties.pop("Metrics") if "MetricStat" in metric)
                properties |= first["Metric"] | {"Statistic": first["Stat"], "Period": first["Period"]}
                print(f"changed for ministack: {name}: ministack has no metric math in alarms")

    def start(self, **settings):
        self.url = self.enterContext(simulated_aws.running("ministack", self.folder, settings))

    def client(self, service):
        return simulated_aws.client(service, self.url, self.region)

    def deploy(self, packages, parameters):
        """Uploads the packages, creates the stack, and returns it with its resources."""
        bucket = self.template["Resources"]["RollBackFunction"]["Properties"]["Code"]["S3Bucket"]
        s3, formation = self.client("s3"), self.client("cloudformation")
        # us-east-1 refuses to be named as the location of a bucket.
        elsewhere = self.region != "us-east-1"
        place = {"CreateBucketConfiguration": {"LocationConstraint": self.region}} if elsewhere else {}
        s3.create_bucket(Bucket=bucket, **place)
        for name, content in {**packages, "template.json": json.dumps(self.template).encode()}.items():
            s3.put_object(Bucket=bucket, Key=name, Body=content)
        formation.create_stack(
            StackName=STACK,
            TemplateURL=f"{self.url}/{bucket}/template.json",
            Capabilities=["CAPABILITY_NAMED_IAM"],
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        )
        return self.deployed()

    def deployed(self, name=STACK):
        """Waits until the stack is there; returns it with its resources."""
        formation = self.client("cloudformation")
        deadline = time.monotonic() + simulated_aws.LIMIT_SECONDS
        while "IN_PROGRESS" in (stack := formation.describe_stacks(StackName=name)["Stacks"][0])["StackStatus"]:
            self.assertLess(time.monotonic(), deadline, f"the stack is still {stack['StackStatus']}")
            time.sleep(0.2)
        log = (self.folder / "ministack.log").read_text(encoding="utf-8").splitlines()
        errors = "\n".join(line for line in log if "cloudformation" in line and "ERROR" in line)
        self.assertEqual(stack["StackStatus"], "CREATE_COMPLETE", errors)
        pages = formation.get_paginator("list_stack_resources").paginate(StackName=name)
        resources = [resource for page in pages for resource in page["StackResourceSummaries"]]
        print(f"{name}: {len(resources)} resources deployed by CloudFormation into ministack")
        return stack, resources


class Template(Ministack):
    def arn(self, service, name):
        return f"arn:aws:{service}:{self.region}:{ACCOUNT}:{name}"

    def test_the_template_deploys_with_its_names_targets_and_versions(self):
        self.start()
        code = self.template["Resources"]["RollBackFunction"]["Properties"]["Code"]
        stack, resources = self.deploy({code["S3Key"]: simulated_aws.package("#!/bin/sh\nexit 1\n")}, PARAMETERS)
        for kind, count in sorted(collections.Counter(one["ResourceType"] for one in resources).items()):
            print(f"{count:4} {kind}")
        expected = {name: one["Type"] for name, one in self.template["Resources"].items()}
        created = {one["LogicalResourceId"]: one["ResourceType"] for one in resources}
        self.assertEqual(expected.items() - created.items(), set())
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        self.assertEqual(self.template["Outputs"].keys() - self.outputs.keys(), set())
        for check in (self.check_machines, self.check_rules, self.check_storage, self.check_ci):
            with self.subTest(check.__name__):
                check()

    def check_machines(self):
        functions, machines = self.client("lambda"), self.client("stepfunctions")
        for machine in ["connect-service", "migrate-fleet", "migrate-service", "retire-service", "roll-back-service"]:
            arn = self.arn("states", f"stateMachine:{STACK}-{machine}")
            definition = machines.describe_state_machine(stateMachineArn=arn)["definition"]
            self.assertNotIn("${", definition, "something was not substituted")
            called = set(re.findall(r"arn:aws:lambda:[^\"]*", definition))
            self.assertTrue(called, f"{machine} calls no function")
            for function in called:
                name, _, version = function.removeprefix(self.arn("lambda", "function:")).partition(":")
                self.assertRegex(version, "^[0-9]+$", f"{machine} calls {function}, which is no published version")
                found = functions.get_function_configuration(FunctionName=name, Qualifier=version)
                self.assertEqual((found["Runtime"], found["Timeout"]), ("provided.al2023", 60), function)
                self.assertEqual(found["Environment"]["Variables"].get("CROSSFADE_TABLE"), STACK, function)

    def check_rules(self):
        events = self.client("events")
        sweep = self.arn("lambda", f"function:{STACK}-sweep-migrations:live")
        for rule, target in {
            "alarm-fires": self.arn("lambda", f"function:{STACK}-react-to-alarm:live"),
            "execution-dies": sweep,
            "every-minute": sweep,
            "migration-changes": self.arn("sns", f"{STACK}-notifications"),
        }.items():
            targets = events.list_targets_by_rule(Rule=f"{STACK}-{rule}")["Targets"]
            found = [(one["Arn"], one.get("DeadLetterConfig", {}).get("Arn")) for one in targets]
            self.assertEqual(found, [(target, self.arn("sqs", f"{STACK}-dead-letters"))], rule)

    def check_storage(self):
        table = self.client("dynamodb").describe_table(TableName=STACK)["Table"]
        self.assertTrue(table.get("DeletionProtectionEnabled"), "the table is not protected from deletion")
        self.assertTrue(table.get("StreamSpecification", {}).get("StreamEnabled"), "the table has no stream")
        dashboard = self.client("cloudwatch").get_dashboard(DashboardName=STACK)["DashboardBody"]
        self.assertNotIn("${", dashboard)
        self.assertGreaterEqual(len(json.loads(dashboard)["widgets"]), 8)

    def check_ci(self):
        """Checks who may assume the roles for continuous integration, and that the given address is notified."""
        iam, topic = self.client("iam"), self.outputs["Notifications"]
        for provider in ["GitHub", "GitLab"]:
            role = iam.get_role(RoleName=self.outputs[f"CiRoleFor{provider}"].rpartition("/")[2])["Role"]
            trust = role["AssumeRolePolicyDocument"]
            statement = (json.loads(trust) if isinstance(trust, str) else trust)["Statement"][0]
            (subjects,) = (value for key, value in statement["Condition"]["StringLike"].items() if key.endswith(":sub"))
            self.assertEqual(subjects, PARAMETERS[f"{provider}Subjects"].split(","))
        subscriptions = self.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        self.assertEqual([one["Endpoint"] for one in subscriptions], [PARAMETERS["NotificationEmail"]])


# A debug binary that starts cold on a loaded machine is then late by seconds of the world, not by minutes.
SCALE = 40
# The rehearsal refuses its own migration, because an alarm is missing. So ministack's execution finds the service where
# it was.
SCENARIO = f"""
seed: 1
scale: {SCALE}
services:
  - name: users
    sentPerMinute: 30
    policy: {{ alarms: [users-missing] }}
    expect: refused
"""
# Where the rehearsal's own functions are.
BINARIES = ROOT / "target/debug"
# The name that SAM gives this stack in every account.
BUCKET_OF_SAM = "aws-sam-cli-managed-default"


@contextlib.contextmanager
def rehearsal(folder, crossfade, path):
    """Keeps a rehearsal running, and gives the URL of its AWS and the address of its clock."""
    scenario = folder / "scenario.yaml"
    scenario.write_text(SCENARIO)
    command = [crossfade, "rehearse", "--scenario", scenario, "--keep", "--functions", BINARIES]
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, text=True, env=os.environ | {"PATH": path}, **streams)
    try:
        printed, exports = [], {}
        for line in process.stderr:
            printed.append(line)
            exports |= dict(re.findall(r"(AWS_ENDPOINT_URL|CROSSFADE_CLOCK)=(\S+)", line))
            if "The world stays up" in line:
                break
        else:
            raise AssertionError("the rehearsal ended:\n" + "".join(printed))
        # Without a reader, the rehearsal would block on its next line.
        threading.Thread(target=lambda: [None for _ in process.stderr], daemon=True).start()
        yield exports["AWS_ENDPOINT_URL"], exports["CROSSFADE_CLOCK"]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


class Migration(Ministack):
    """A service that dist/'s command moves with ministack's CloudFormation, Lambda, Step Functions and DynamoDB.

    `deploy.py` deploys the stack from dist/. Neither it nor the command finds a program on the PATH, so they need no
    Rust. The load balancers, alarms and clusters are a rehearsal's; `AWS_ENDPOINT_URL_<SERVICE>` leads the functions
    there. Waits are shorter by the factor by which the rehearsal's clock is faster.
    """

    region = "eu-west-1"
    expanded = PACKAGED

    def setUp(self):
        super().setUp()
        self.path = str(self.folder / "no-programs")
        with tarfile.open(next(DIST.glob("crossfade-*.tar.gz"))) as archive:
            archive.extractall(self.folder, filter="data")
        (self.crossfade,) = self.folder.glob("crossfade-*/crossfade")

    def test_a_service_moves_to_its_new_group(self):
        endpoint, clock = self.enterContext(rehearsal(self.folder, self.crossfade, self.path))
        services = ["ELASTIC_LOAD_BALANCING_V2", "CLOUDWATCH"]
        variables = {f"AWS_ENDPOINT_URL_{service}": endpoint for service in services} | {"CROSSFADE_CLOCK": clock}
        dist = self.dist(variables)
        self.start(SFN_WAIT_SCALE=str(1 / SCALE))
        self.create_bucket_of_sam()
        self.deploy_from(dist)
        policy = self.policy(endpoint)
        old = policy["services"][0]["oldTargetGroups"]
        old = {old} if isinstance(old, str) else set(old)
        before = self.forwards(endpoint)
        self.move(policy, variables)
        after = self.forwards(endpoint)
        routes = [route for route, weights in before.items() if weights.keys() & old]
        self.assertTrue(routes, f"no route leads to {old}")
        for route in routes:
            (group,) = [group for group, weight in after[route].items() if weight > 0]
            self.assertNotIn(group, old, route)
        machine = f"arn:aws:states:{self.region}:{ACCOUNT}:stateMachine:{STACK}-migrate-service"
        executions = self.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
        self.assertEqual([execution["status"] for execution in executions], ["SUCCEEDED"])
        print(f"execution {executions[0]['name']} succeeded in ministack; {len(routes)} route(s) at the new group")

    def dist(self, variables):
        """Returns a copy of dist/ whose functions find the rehearsal."""
        dist = self.folder / "dist"
        shutil.copytree(DIST, dist, ignore=shutil.ignore_patterns("*.tar.gz"))
        for resource in self.template["Resources"].values():
            if resource["Type"] == "AWS::Lambda::Function":
                properties = resource["Properties"]
                # As SAM finds what it uploads.
                properties["Code"] = properties["Code"]["S3Key"]
                properties["Environment"]["Variables"] |= variables
        (dist / deploy.PACKAGED).write_text(json.dumps(self.template))
        package.write_sums(dist)
        given = ", ".join(f"{name}={value}" for name, value in variables.items())
        print(f"changed for ministack: every function has {given}")
        return dist

    def environment(self, variables):
        """Returns an environment without programs, and with the credentials that ministack accepts."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | variables
        environment |= {"AWS_REGION": self.region, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        return environment | {"PATH": self.path, "HOME": str(self.folder)}

    def create_bucket_of_sam(self):
        """Creates the stack in which SAM keeps its bucket, as if it had deployed here before."""
        bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "packages"}}
        template = {"Resources": {"Bucket": bucket}, "Outputs": {"SourceBucket": {"Value": {"Ref": "Bucket"}}}}
        self.client("cloudformation").create_stack(
            StackName=BUCKET_OF_SAM,
            TemplateBody=json.dumps(template),
            Tags=[{"Key": "ManagedStackSource", "Value": "AwsSamCli"}],
        )
        self.deployed(BUCKET_OF_SAM)
        print(f"changed for ministack: {BUCKET_OF_SAM} exists, because its template needs a transform")

    def deploy_from(self, dist):
        """Deploys the packages as an operator does, with a Python that has none of our tools."""
        python = pathlib.Path(sys.base_prefix) / "bin/python3"
        command = [python, ROOT / "infra/tools/deploy.py", "deploy", "--from", dist, "--stack", STACK]
        print("$ python3 infra/tools/deploy.py deploy --from dist", flush=True)
        done = subprocess.run(
            command,
            env=self.environment({"AWS_ENDPOINT_URL": self.url, "SAM_CLI_POLL_DELAY": "1"}),
            capture_output=True,
            text=True,
            timeout=simulated_aws.LIMIT_SECONDS,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.deployed()

    def policy(self, endpoint):
        """Returns the rehearsal's policy, with an alarm that exists and a short schedule."""
        key = {"pk": {"S": "policy"}, "sk": {"S": "rehearsal"}}
        item = simulated_aws.client("dynamodb", endpoint, self.region).get_item(TableName=STACK, Key=key)["Item"]
        document = json.loads(item["document"]["S"]) | {"fleet": "ministack"}
        schedule = [{"weight": 10, "bake": "5m"}, {"weight": 100, "bake": "5m"}]
        document["services"][0] |= {"alarms": ["users-5xx"], "schedule": schedule, "onNoTraffic": "advance"}
        return document

    def forwards(self, endpoint):
        """Returns each route's weights by the name of the target group."""
        balancers = simulated_aws.client("elbv2", endpoint, self.region)
        groups = balancers.describe_target_groups()["TargetGroups"]
        names = {group["TargetGroupArn"]: group["TargetGroupName"] for group in groups}
        found = {}
        for balancer in balancers.describe_load_balancers()["LoadBalancers"]:
            for listener in balancers.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]:
                for rule in balancers.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]:
                    for action in rule["Actions"]:
                        for group in action.get("ForwardConfig", {}).get("TargetGroups", []):
                            weights = found.setdefault(rule["RuleArn"], {})
                            weights[names[group["TargetGroupArn"]]] = group.get("Weight", 1)
        return found

    def move(self, policy, variables):
        """Stores the policy, starts the migration, waits for its end as an operator does, and prints the journal."""
        file = self.folder / "policy.json"
        file.write_text(json.dumps(policy))
        # Without AWS_ENDPOINT_URL, because the flag alone must be enough.
        environment = self.environment(variables)
        # The command's timeout is in the world's time, which is faster; the process's is in real time.
        for arguments in (["apply", str(file)], ["start", "users", "--wait", "--timeout", "30d"], ["history", "users"]):
            command = ["crossfade", *arguments, "--endpoint-url", self.url]
            print("$", *command, flush=True)
            done = subprocess.run(
                [self.crossfade, *command[1:]],
                env=environment,
                capture_output=True,
                text=True,
                timeout=simulated_aws.LIMIT_SECONDS,
            )
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            print(done.stdout, end="")
