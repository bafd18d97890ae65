"""An account in moto, which is not ours: two load balancers with services that nobody has described.

Usage (runs until its standard input closes, and prints its URL once it is ready):
    python moto_account.py FOLDER
"""

import pathlib
import sys

from simulated_aws import REGION, STACK, client, running

# Old target groups with the load balancers they are on, and a host for each.
SERVICES = {"users": "public", "orders": "internal"}
SCHEMES = {"public": "internet-facing", "internal": "internal"}


def network(ec2):
    """Returns the subnets of two zones, a security group, and two instances that serve everything."""
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = []
    for number, zone in enumerate("ab"):
        block, where = f"10.0.{number}.0/24", f"{REGION}{zone}"
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=block, AvailabilityZone=where)
        subnets.append(subnet["Subnet"]["SubnetId"])
    image = ec2.describe_images()["Images"][0]["ImageId"]
    launched = ec2.run_instances(ImageId=image, MinCount=2, MaxCount=2, SubnetId=subnets[0])
    return vpc, subnets, [instance["InstanceId"] for instance in launched["Instances"]]


def fill(url):
    elbv2, table = client("elbv2", url), client("dynamodb", url)
    vpc, subnets, instances = network(client("ec2", url))
    listeners = {}
    for name, scheme in SCHEMES.items():
        created = elbv2.create_load_balancer(Name=name, Subnets=subnets, Scheme=scheme, Type="application")
        arn = created["LoadBalancers"][0]["LoadBalancerArn"]
        refuse = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain"}}
        created = elbv2.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=[refuse])
        listeners[name] = created["Listeners"][0]["ListenerArn"]
    for number, (service, balancer) in enumerate(SERVICES.items(), 1):
        created = elbv2.create_target_group(
            Name=f"{service}-swarm", Protocol="HTTP", Port=8000 + number, VpcId=vpc, HealthCheckPath="/health"
        )
        group = created["TargetGroups"][0]["TargetGroupArn"]
        elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": instance} for instance in instances])
        elbv2.create_rule(
            ListenerArn=listeners[balancer],
            Priority=number,
            Conditions=[{"Field": "host-header", "Values": [f"{service}.example.com"]}],
            Actions=[{"Type": "forward", "TargetGroupArn": group}],
        )
    keys = {"pk": "HASH", "sk": "RANGE"}
    table.create_table(
        TableName=STACK,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
    )


def main():
    with running("moto", pathlib.Path(sys.argv[1]), {}) as url:
        fill(url)
        print(url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
