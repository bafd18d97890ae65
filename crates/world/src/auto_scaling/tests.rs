use super::*;
use crate::elbv2::ProbeOutcome;
use crate::tree::Tree;
use serde_json::{Value, json};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A target group in a rule, and one Auto Scaling group of two instances.
struct Scene {
    elbv2: Elbv2,
    scaling: AutoScaling,
    target_group: String,
}

impl Scene {
    fn new(health_check_type: &str) -> Self {
        let mut elbv2 = Elbv2::new(1);
        let balancer = elbv2.create_load_balancer(at(0), "public").unwrap();
        let listener = elbv2.create_listener(at(0), &balancer, "HTTP", 80).unwrap();
        let target_group = elbv2.create_target_group(at(0), "users", 30080, &[]).unwrap();
        elbv2.create_host_rule(at(0), &listener, 1, "a.test", &target_group).unwrap();
        let mut scaling = AutoScaling::default();
        scaling.put_group("nodes", &["i-1", "i-2"], health_check_type);
        Self { elbv2, scaling, target_group }
    }

    fn call(&mut self, second: i64, operation: &str, input: &Value) -> Result<Tree, AwsError> {
        self.scaling.call(at(second), operation, &Tree::from_json(input), &mut self.elbv2)
    }

    fn change(&mut self, second: i64, operation: &str) -> Result<Tree, AwsError> {
        let sources = json!([{"Identifier": self.target_group, "Type": "elbv2"}]);
        self.call(second, operation, &json!({"AutoScalingGroupName": "nodes", "TrafficSources": sources}))
    }

    fn states(&mut self, second: i64) -> Vec<String> {
        let answer = self.call(second, "DescribeTrafficSources", &json!({"AutoScalingGroupName": "nodes"})).unwrap();
        answer.list_at("TrafficSources").iter().map(|one| one.text_at("State").unwrap().to_owned()).collect()
    }

    fn registered(&self) -> Vec<(String, u16)> {
        self.elbv2.targets_of(&self.target_group)
    }

    fn answers(&mut self, second: i64, instance: &str, status: u16) {
        self.elbv2.probes_due(at(second));
        for _ in 0..2 {
            self.elbv2.probe_result(&self.target_group, instance, 30080, ProbeOutcome::Status(status));
        }
    }
}

#[test]
fn an_attached_target_group_gets_all_instances_and_those_that_come() {
    let mut scene = Scene::new("EC2");
    scene.change(0, "AttachTrafficSources").unwrap();
    scene.change(1, "AttachTrafficSources").unwrap();
    assert_eq!(scene.states(1), ["Adding"]);
    assert_eq!(scene.registered(), [("i-1".to_owned(), 30080), ("i-2".to_owned(), 30080)]);
    assert_eq!(scene.states(5), ["Added"]);
    scene.answers(6, "i-1", 200);
    assert_eq!(scene.states(6), ["InService"]);
    let launched = scene.scaling.scale_out(at(7), &mut scene.elbv2, "nodes").unwrap();
    assert!(scene.registered().contains(&(launched, 30080)));
    scene.change(10, "DetachTrafficSources").unwrap();
    assert_eq!(scene.states(10), ["Removing"]);
    assert_eq!(scene.registered(), []);
    assert_eq!(scene.states(15), Vec::<String>::new());
    assert_eq!(scene.scaling.instances("nodes").len(), 3);
    assert_eq!(scene.change(16, "DetachTrafficSources").unwrap_err().code, "ValidationError");
}

#[test]
fn with_elb_health_checks_an_instance_that_is_unhealthy_anywhere_is_replaced() {
    #[track_caller]
    fn check(health_check_type: &str, healthy_first: bool, expected: &[&str]) {
        let mut scene = Scene::new(health_check_type);
        scene.change(0, "AttachTrafficSources").unwrap();
        scene.answers(5, "i-1", if healthy_first { 200 } else { 500 });
        scene.answers(5, "i-2", 500);
        scene.states(6);
        scene.states(7);
        assert_eq!(scene.scaling.replaced("nodes"), expected);
        assert_eq!(scene.scaling.instances("nodes").len(), 2);
        assert_eq!(scene.registered().len(), 2);
    }
    check("ELB", true, &["i-2"]);
    check("EC2", true, &[]);
    // A target group in which nothing is healthy is never in service.
    check("ELB", false, &[]);
}

#[test]
fn nothing_is_attached_during_a_refresh_nor_what_takes_no_instances() {
    let mut scene = Scene::new("EC2");
    scene.scaling.set_refreshing("nodes", true);
    assert_eq!(scene.change(0, "AttachTrafficSources").unwrap_err().code, "InstanceRefreshInProgress");
    scene.scaling.set_refreshing("nodes", false);
    let eleven: Vec<Value> = (0..11).map(|_| json!({"Identifier": scene.target_group, "Type": "elbv2"})).collect();
    for (name, sources) in [
        ("nodes", json!([])),
        ("nodes", json!(eleven)),
        ("nodes", json!([{"Identifier": "arn:gone", "Type": "elbv2"}])),
        ("gone", json!([{"Identifier": scene.target_group, "Type": "elbv2"}])),
    ] {
        let input = json!({"AutoScalingGroupName": name, "TrafficSources": sources});
        assert_eq!(scene.call(0, "AttachTrafficSources", &input).unwrap_err().code, "ValidationError", "{input}");
    }
    assert_eq!(scene.call(0, "DeletePolicy", &json!({})).unwrap_err().code, "InvalidAction");
}

#[test]
fn groups_come_in_pages() {
    let mut scene = Scene::new("EC2");
    scene.scaling.put_group("others", &[], "ELB");
    let names = |answer: &Tree| -> Vec<String> {
        let groups = answer.list_at("AutoScalingGroups");
        groups.iter().map(|group| group.text_at("AutoScalingGroupName").unwrap().to_owned()).collect()
    };
    let first = scene.call(0, "DescribeAutoScalingGroups", &json!({"MaxRecords": 1})).unwrap();
    assert_eq!(names(&first), ["nodes"]);
    let token = first.text_at("NextToken").unwrap();
    let second = scene.call(0, "DescribeAutoScalingGroups", &json!({"NextToken": token})).unwrap();
    assert_eq!((names(&second), second.text_at("NextToken")), (vec!["others".to_owned()], None));
    let gone = json!({"AutoScalingGroupNames": ["gone"]});
    assert_eq!(names(&scene.call(0, "DescribeAutoScalingGroups", &gone).unwrap()), Vec::<String>::new());
}
