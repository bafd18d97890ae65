//! `crossfade discover` on a large account, through `crates/aws`: it only reads, its policy allows exactly what it
//! reads, and it takes less than a minute at five calls a second.

use crate::contract::samples;
use crate::contract::sides::{STANDS_STILL, Served};
use crate::repository::read;
use crossfade_actions::operator::survey::survey;
use crossfade_aws::{Settings, connect_with};
use crossfade_domain::policy::discovery::candidates::Candidates;
use crossfade_domain::policy::discovery::draft::{FILL_IN, policy};
use crossfade_domain::policy::document::check_fleet;
use crossfade_rehearsal::clock::WorldClock;
use crossfade_rehearsal::endpoints::access::AccessLog;
use crossfade_rehearsal::endpoints::aws_service::AwsService;
use crossfade_rehearsal::endpoints::cloudwatch::CloudWatchApi;
use crossfade_rehearsal::endpoints::elbv2::Elbv2Api;
use crossfade_rehearsal::endpoints::front_door::NoFaults;
use crossfade_world::world::World;
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

const BALANCERS: u16 = 5;
const GROUPS: u16 = 24;
const RULES: u16 = 100;

/// Five load balancers with 120 target groups and 500 rules, and an alarm on the first group.
fn large_account() -> Arc<World> {
    let world = World::new(samples::at(0), 7);
    world.with(|state| {
        let (now, elb) = (state.now, &mut state.elbv2);
        for balancer in 0..BALANCERS {
            let load_balancer = elb.create_load_balancer(now, &format!("lb-{balancer}")).unwrap();
            let listener = elb.create_listener(now, &load_balancer, "HTTP", 80).unwrap();
            let mut groups = Vec::new();
            for at in 0..GROUPS {
                let port = 8000 + balancer * GROUPS + at;
                let group = elb.create_target_group(now, &format!("service-{port}-swarm"), port, &[]).unwrap();
                elb.register(now, &group, &[("i-0aaaaaaaaaaaaaaa1", port), ("i-0aaaaaaaaaaaaaaa2", port)]).unwrap();
                groups.push(group);
            }
            for (priority, group) in (1..=RULES).zip(groups.iter().cycle()) {
                let host = format!("h{priority}.lb{balancer}.example.com");
                elb.create_host_rule(now, &listener, priority.into(), &host, group).unwrap();
            }
        }
        let group = elb.group_named("service-8000-swarm").unwrap();
        let dimension = group.rsplit(':').next().unwrap();
        let alarm = json!({
            "AlarmName": "first-5xx", "Namespace": "AWS/ApplicationELB", "MetricName": "HTTPCode_Target_5XX_Count",
            "Dimensions": [{"Name": "TargetGroup", "Value": dimension}], "Statistic": "Sum", "Period": 60,
            "EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold",
        });
        state.cloudwatch.call(now, "PutMetricAlarm", &alarm).unwrap();
    });
    world
}

#[tokio::test]
async fn a_survey_of_a_large_account_only_reads_what_its_policy_allows_within_a_minute() {
    let world = large_account();
    let clock = WorldClock::starting_at(world.now(), STANDS_STILL);
    let (elbv2, cloudwatch) = world.with(|state| (state.elbv2.clone(), state.cloudwatch.clone()));
    let elbv2 = Arc::new(Mutex::new(elbv2));
    let log = Arc::new(AccessLog::around(Arc::new(NoFaults), elbv2.clone()));
    let services: Vec<(&'static str, Arc<dyn AwsService>)> = vec![
        ("elasticloadbalancing", Arc::new(Elbv2Api::new(elbv2, clock.clone()))),
        ("monitoring", Arc::new(CloudWatchApi::new(Arc::new(Mutex::new(cloudwatch)), clock))),
    ];
    let served = Served::start_observed(services, log.clone(), Arc::default()).await;
    let settings = Settings {
        table: "crossfade".to_owned(),
        migrate_machine: None,
        roll_back_machine: None,
        retire_machine: None,
        stack: "crossfade".to_owned(),
    };
    // The world is the clock: its time passes only in the pauses of the survey.
    let ports = connect_with(&served.config, &settings).with_clock(world.clone());
    let began = world.now();
    let mut lines = 0;
    let found = survey(&ports, &mut |_, done, all| {
        assert!(done < all);
        lines += 1;
    })
    .await
    .unwrap();

    let passed = world.now().duration_since(began);
    assert!(passed < SignedDuration::from_secs(60), "{passed:#}");
    // The log counts the metrics of GetMetricData, too.
    let of_operations = log.calls().into_values().flatten();
    let of_operations = of_operations.filter(|(operation, _)| !operation.ends_with("(metrics)"));
    let calls: u64 = of_operations.map(|(_, count)| count).sum();
    assert!((280..=300).contains(&calls), "{calls} calls");
    assert!(passed >= SignedDuration::from_millis(200 * i64::from(lines - 1)), "{passed:#} for {lines} lines");

    let accesses = log.take().into_values().flatten();
    let asked: BTreeSet<String> = accesses.map(|access| access.action).collect();
    for action in &asked {
        let verb = action.split(':').nth(1).unwrap();
        assert!(verb.starts_with("Describe") || verb.starts_with("Get"), "{action} is no read");
    }
    let document: Value = serde_json::from_str(&read("infra/discover-policy.json")).unwrap();
    let statements = document["Statement"].as_array().unwrap();
    assert_eq!((statements.len(), &statements[0]["Effect"]), (1, &json!("Allow")));
    let allowed = statements[0]["Action"].as_array().unwrap().iter().map(|action| action.as_str().unwrap().to_owned());
    assert_eq!(allowed.collect::<BTreeSet<String>>(), asked);

    let candidates = Candidates::of(&found, &[], |_| false);
    assert_eq!((candidates.services.len(), candidates.left_out.len()), (120, 0));
    let routes: usize = candidates.services.iter().map(|service| service.routes.len()).sum();
    assert_eq!(routes, 500);
    let draft = policy(&found, &candidates, "eks");
    assert!(draft.contains("    # alarms: [first-5xx]  # 1 found; uncomment those that count\n"), "{draft}");
    checked_as_printed(&draft);
}

/// A check of the draft as it is printed names the marked lines and no others. With them completed, it accepts it.
fn checked_as_printed(draft: &str) {
    let document: Value = serde_yaml_ng::from_str(draft).unwrap();
    let problems = check_fleet(&document).unwrap_err();
    let marked = draft.lines().filter(|line| line.contains(&format!("# {FILL_IN}"))).count();
    assert_eq!(problems.0.len(), marked);
    for (index, problem) in problems.0.iter().enumerate() {
        assert!(problem.to_string().starts_with(&format!("services[{index}].newTargets: no targets")), "{problem}");
    }
    let completed = draft.replace("newTargets: {}", "newTargets: { instances: [i-1, i-2] }");
    check_fleet(&serde_yaml_ng::from_str(&completed).unwrap()).unwrap();
}
