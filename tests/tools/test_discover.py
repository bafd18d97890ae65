"""Runs `crossfade discover` against moto, which simulates AWS and is not ours.

    PYTHONPATH=tests/tools python -m unittest test_discover

Works offline and without credentials, with the command that `cargo build -p crossfade-cli` makes.
"""

import os
import pathlib
import subprocess
import tempfile
import unittest

import boto3
import simulated_aws

BINARY = pathlib.Path(__file__).resolve().parents[2] / "target/debug/crossfade"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}


class Discover(unittest.TestCase):
    def setUp(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.url = self.enterContext(simulated_aws.running("moto", folder, {}))

    def client(self, service):
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, endpoint_url=self.url, region_name=simulated_aws.REGION, **keys)

    def test_a_draft_has_the_service_and_says_what_it_leaves_out(self):
        ec2, elb = self.client("ec2"), self.client("elbv2")
        vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"][:2]]
        balancer = elb.create_load_balancer(Name="public", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
        groups = {}
        for name in ["users-swarm", "idle-swarm"]:
            made = elb.create_target_group(Name=name, Protocol="HTTP", Port=8080, VpcId=vpc, TargetType="ip")
            groups[name] = made["TargetGroups"][0]["TargetGroupArn"]
        elb.register_targets(TargetGroupArn=groups["users-swarm"], Targets=[{"Id": "172.31.0.5", "Port": 8080}])
        answer = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain"}}
        listener = elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=[answer])
        elb.create_rule(
            ListenerArn=listener["Listeners"][0]["ListenerArn"],
            Priority=7,
            Conditions=[{"Field": "host-header", "Values": ["users.example.com"]}],
            Actions=[{"Type": "forward", "TargetGroupArn": groups["users-swarm"]}],
            Tags=[{"Key": "aws:cloudformation:stack-name", "Value": "network"}],
        )
        command = [BINARY, "discover", "--endpoint-url", self.url, "--region", simulated_aws.REGION]
        environment = KEYS | {"PATH": os.environ["PATH"], "HOME": "/nowhere"}
        said = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        self.assertEqual(said.returncode, 0, said.stderr)
        self.assertIn("# route: public port 80, priority 7: host users.example.com\n", said.stdout)
        self.assertIn("#   idle-swarm: no load balancer uses it\n", said.stdout)
        self.assertIn("    oldTargetGroups: [users-swarm]\n", said.stdout)
        self.assertIn("reading load balancers\n", said.stderr)


if __name__ == "__main__":
    unittest.main()
