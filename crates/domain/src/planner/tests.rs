use super::fixture::{
    PREFIX, alarm, balancer_arn, forward, group, holder, inventory, listener, observed, planned, policy, route, rule,
};
use super::*;
use crate::alarms::alarm::AlarmState;
use crate::comparison::GroupCounts;
use crate::judge::MetricKind;
use crate::load_balancer::action::{Action, ActionKind, GroupStickiness};
use crate::load_balancer::group::{HealthState, Tags, Target};
use crate::load_balancer::our_tags::tag;
use crate::load_balancer::route::RouteId;
use crate::names::ServiceName;
use crate::planner::inventory::{RouteHolder, held_by};
use crate::policy::service_policy::{ManagedBy, NewTargets, Schedule, ScheduleStep};

fn tags(pairs: &[(&str, &str)]) -> Tags {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// The codes and subjects of a plan with these changes; a warning is marked with `~`.
#[track_caller]
fn check(change: impl FnOnce(&mut ServicePolicy, &mut Inventory), expected: &[(&str, &str)]) {
    let (mut policy, mut inventory) = (policy(), inventory());
    change(&mut policy, &mut inventory);
    let outcome = planned(&policy, &inventory);
    let refused = outcome.is_err();
    let findings = outcome.map_or_else(|findings| findings, |plan| plan.findings);
    let found: Vec<(String, String)> = findings
        .iter()
        .map(|finding| {
            let mark = if finding.severity == Severity::Warning { "~" } else { "" };
            (format!("{mark}{}", finding.code), finding.subject.trim_start_matches(PREFIX).to_owned())
        })
        .collect();
    let expected: Vec<(String, String)> =
        expected.iter().map(|(code, subject)| ((*code).to_owned(), (*subject).to_owned())).collect();
    assert_eq!(found, expected, "{findings:#?}");
    assert_eq!(refused, expected.iter().any(|(code, _)| !code.starts_with('~')));
}

#[test]
fn a_plan_has_one_new_group_for_each_old_one_and_every_route() {
    let plan = planned(&policy(), &inventory()).unwrap();
    assert_eq!(plan.findings, []);
    let groups: Vec<_> = plan.groups.iter().map(|planned| (&planned.old, planned.load_balancer.name())).collect();
    assert_eq!(groups, [(&group("users-public"), "public"), (&group("users-internal"), "internal")]);
    assert_ne!(plan.groups[0].new_name, plan.groups[1].new_name);
    assert_eq!(plan.groups[0].old_healthy, 3);
    let ids: Vec<_> = plan.routes.iter().map(|route| route.id.clone()).collect();
    assert_eq!(ids, [rule("public", 1), listener("public"), rule("internal", 1)]);
    assert_eq!(ids, routes_of(&inventory()));
    let triple = |index: usize, step: usize| {
        let step = &plan.routes[index].steps[step];
        (step.old, step.new, step.scale)
    };
    assert_eq!((triple(0, 0), triple(0, 2), triple(0, 7)), ((999, 0, 1), (950, 50, 1), (0, 999, 1)));
    assert_eq!((triple(2, 0), triple(2, 2), triple(2, 7)), ((960, 0, 12), (912, 48, 12), (0, 960, 12)));
}

#[test]
fn the_plan_keeps_how_clumped_failures_were_in_the_hour_before() {
    let mut inventory = inventory();
    let clumped = |minute: usize| GroupCounts {
        requests: 2000,
        server_errors: if minute.is_multiple_of(2) { 20 } else { 0 },
        answers: 2000,
        ..GroupCounts::default()
    };
    let hour = HourBefore { minutes: (0..60).map(clumped).collect(), slow_is_measured: false };
    inventory.hours_before = [(group("users-public"), hour)].into();
    let mut policy = policy();
    let dispersion = planned(&policy, &inventory).unwrap().dispersion;
    assert!(
        (dispersion[&MetricKind::Errors] - 5.0).abs() < f64::EPSILON && !dispersion.contains_key(&MetricKind::Slow)
    );
    policy.judge = false;
    assert!(planned(&policy, &inventory).unwrap().dispersion.is_empty());
}

#[test]
fn a_judged_schedule_longer_than_minutes_are_kept_is_a_warning() {
    let of = |days: u32| {
        move |policy: &mut ServicePolicy, _: &mut Inventory| {
            let last = policy.schedule.steps.len() - 1;
            for (index, step) in policy.schedule.steps.iter_mut().enumerate() {
                step.bake_seconds = if index == last { 1 } else { days * 24 * 60 * 60 / u32::try_from(last).unwrap() };
            }
        }
    };
    check(of(14), &[]);
    check(of(15), &[("~judge-outlived", "schedule")]);
    check(
        |policy, inventory| {
            of(20)(policy, inventory);
            policy.judge = false;
        },
        &[],
    );
}

#[test]
fn a_new_group_copies_the_old_one_but_for_its_targets() {
    let mut inventory = inventory();
    inventory.old_groups[0].attributes = tags(&[
        ("deregistration_delay.timeout_seconds", "30"),
        ("stickiness.app_cookie.cookie_name", ""),
        ("stickiness.app_cookie.duration_seconds", "86400"),
        ("lambda.multi_value_headers.enabled", "false"),
        ("preserve_client_ip.enabled", "true"),
        ("something.new", "x"),
    ]);
    let mut policy = policy();
    policy.min_healthy = 1;
    let settings = |policy: &ServicePolicy| {
        let settings = &planned(policy, &inventory).unwrap().groups[0].settings;
        (settings.target_type.clone(), settings.port)
    };
    let target = |id: &str, port| vec![Target { id: id.into(), port }];
    assert_eq!(settings(&policy), ("ip".into(), 8080));
    policy.new_targets = NewTargets::Ips(target("10.0.0.1", Some(9000)));
    assert_eq!(settings(&policy), ("ip".into(), 9000));
    policy.new_targets = NewTargets::Instances(target("i-1", None));
    assert_eq!(settings(&policy), ("instance".into(), 8081));
    let plan = planned(&policy, &inventory).unwrap();
    assert_eq!(
        plan.groups[0].attributes,
        tags(&[("deregistration_delay.timeout_seconds", "30"), ("something.new", "x")])
    );
    assert_eq!(plan.groups[0].settings.health_check, inventory.old_groups[0].group.settings.health_check);
}

#[test]
fn every_reason_against_a_plan_is_given_at_once() {
    check(
        |policy, inventory| {
            inventory.missing_groups = vec!["users-vpn".into()];
            policy.alarms = vec!["users-5xx".into(), "users-lag".into()];
            inventory.alarms = vec![alarm("users-5xx", AlarmState::Alarm)];
            inventory.old_groups[0].health.clear();
            inventory.load_balancers[1].kind = "network".into();
        },
        &[
            ("old-group-missing", "users-vpn"),
            ("alarm-firing", "users-5xx"),
            ("alarm-missing", "users-lag"),
            ("old-side-unhealthy", ":targetgroup/users-public/1"),
            ("unsupported-load-balancer", ":loadbalancer/app/internal/1"),
        ],
    );
}

#[test]
fn alarms_without_data_or_actions_and_no_alarms_are_warnings() {
    check(
        |_, inventory| inventory.alarms = vec![alarm("users-5xx", AlarmState::InsufficientData)],
        &[("~alarm-without-data", "users-5xx")],
    );
    check(|policy, _| policy.alarms.clear(), &[("~no-alarms", "users")]);
    check(
        |policy, _| {
            policy.alarms.clear();
            policy.guard_alarms = crate::policy::service_policy::GuardAlarms::Auto;
        },
        &[],
    );
    check(|_, inventory| inventory.alarms[0].actions_enabled = false, &[("~alarm-actions-disabled", "users-5xx")]);
}

#[test]
fn old_groups_that_cannot_be_migrated_are_refused() {
    let public = ":targetgroup/users-public/1";
    check(|_, inventory| inventory.old_groups.clear(), &[("old-group-missing", "users")]);
    check(|_, inventory| inventory.old_groups[0].group.load_balancers.clear(), &[("old-group-unattached", public)]);
    check(
        |_, inventory| inventory.old_groups[0].group.load_balancers = vec![balancer_arn("gone")],
        &[("old-group-unattached", public)],
    );
    check(
        |_, inventory| inventory.old_groups[0].group.settings.target_type = "lambda".into(),
        &[("unsupported-target-type", public)],
    );
    check(
        |_, inventory| {
            inventory.old_groups[0].attributes =
                tags(&[("stickiness.enabled", "true"), ("stickiness.type", "app_cookie")]);
        },
        &[("app-cookie-stickiness", public)],
    );
    check(
        |_, inventory| inventory.old_groups[0].health[0..2].iter_mut().for_each(|of| of.state = HealthState::Initial),
        &[("old-side-unhealthy", public)],
    );
    check(
        |_, inventory| {
            inventory.old_groups.push(observed("users-extra", "public"));
            inventory.load_balancers[0].routes.push(route(rule("public", 3), "public", forward(&[("users-extra", 1)])));
        },
        &[("two-old-groups-on-one-load-balancer", ":loadbalancer/app/public/1")],
    );
    // The same group, named twice.
    check(|_, inventory| inventory.old_groups.push(observed("users-public", "public")), &[]);
}

#[test]
fn a_load_balancer_takes_a_hundred_groups() {
    check(|_, inventory| inventory.load_balancers[0].group_count = 99, &[]);
    check(
        |_, inventory| inventory.load_balancers[0].group_count = 100,
        &[("too-many-groups-on-load-balancer", ":loadbalancer/app/public/1")],
    );
}

#[test]
fn a_name_is_taken_over_only_from_ourselves() {
    let name = new_group_name(&ServiceName::parse("users").unwrap(), &group("users-public"));
    let ours = [
        (tag::MANAGED_BY, tag::MANAGED_BY_US),
        (tag::SERVICE, "users"),
        (tag::OLD_GROUP, "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/users-public/1"),
    ];
    let held_with = |pairs: &[(&str, &str)]| {
        let (name, tags) = (name.clone(), tags(pairs));
        move |_: &mut ServicePolicy, inventory: &mut Inventory| {
            inventory.name_holders.insert(name.clone(), holder(&name, tags));
        }
    };
    let subject = format!(":targetgroup/{name}/1");
    let taken = [("new-group-name-taken", subject.as_str())];
    check(held_with(&ours), &[]);
    check(held_with(&[ours[0], ours[1], ours[2], (tag::STACK, "crossfade")]), &[]);
    check(held_with(&[ours[0], ours[1], ours[2], (tag::STACK, "another")]), &taken);
    check(held_with(&[]), &taken);
    check(held_with(&ours[..2]), &taken);
    check(held_with(&[ours[0], (tag::SERVICE, "bookings"), ours[2]]), &taken);
    check(held_with(&[ours[0], ours[1], (tag::OLD_GROUP, "another")]), &taken);
}

#[test]
fn routes_that_cannot_be_edited_are_refused() {
    let first = ":listener-rule/app/public/1/9/1";
    let replace = |actions: Vec<Action>| {
        move |_: &mut ServicePolicy, inventory: &mut Inventory| inventory.load_balancers[0].routes[0].actions = actions
    };
    check(
        replace(forward(&[("users-public", 1), ("a", 1), ("b", 1), ("c", 1), ("d", 1)])),
        &[("too-many-groups-in-action", first)],
    );
    check(replace(forward(&[("users-public", 0), ("a", 0)])), &[("all-weights-zero", first)]);
    check(replace(forward(&[("users-public", 0), ("a", 7)])), &[("~no-old-traffic", first)]);
    // 1 % of 1 in 999 is nothing, and 50 % and more of it is all: four steps say the same as the one before.
    check(replace(forward(&[("users-public", 1), ("a", 999)])), &[("step-rounds-to-predecessor", first)]);
    let mut unknown = forward(&[("users-public", 1)]);
    unknown.insert(0, Action { order: None, kind: ActionKind::Unknown("teleport".into()) });
    check(replace(unknown), &[("unknown-action-type", first)]);
    let name = new_group_name(&ServiceName::parse("users").unwrap(), &group("users-public"));
    check(
        replace(forward(&[("users-public", 0), (&name, 999)])),
        &[("new-group-already-attached", first), ("~no-old-traffic", first)],
    );
}

#[test]
fn an_equal_step_is_named_with_the_weights_that_cause_it() {
    let mut inventory = inventory();
    inventory.load_balancers[0].routes[0].actions = forward(&[("users-public", 50), ("a", 999)]);
    let mut policy = policy();
    let step = |weight: f64| ScheduleStep {
        weight: Weight::try_new(weight).unwrap(),
        bake_seconds: 60,
        approve: false,
        min_bake_seconds: None,
    };
    policy.schedule = Schedule { steps: vec![step(0.5), step(50.0), step(50.5), step(100.0)] };
    let findings = planned(&policy, &inventory).unwrap_err();
    assert_eq!(
        findings[0].message,
        "at 0.5 % and 50.5 % the weights of rule 1 of public round to those of the step before, users-public 50 + a \
         999; drop the step, or raise the old group's weight in the rule"
    );
}

#[test]
fn a_group_without_routes_and_too_many_routes_are_refused() {
    check(|_, inventory| inventory.load_balancers[1].routes.clear(), &[("no-routes", ":targetgroup/users-internal/1")]);
    let many = |count: usize| {
        move |_: &mut ServicePolicy, inventory: &mut Inventory| {
            inventory.load_balancers[1].routes = (0..count)
                .map(|number| route(rule("internal", number), "internal", forward(&[("users-internal", 1)])))
                .collect();
        }
    };
    check(many(88), &[]);
    let guarded = |alarms: usize| {
        move |policy: &mut ServicePolicy, inventory: &mut Inventory| {
            many(88)(policy, inventory);
            policy.alarms = (0..alarms).map(|number| format!("alarm-{number}")).collect();
            inventory.alarms = policy.alarms.iter().map(|name| alarm(name, AlarmState::Ok)).collect();
        }
    };
    check(guarded(6), &[]);
    check(guarded(7), &[("too-many-locks", "users")]);
    check(many(89), &[("too-many-routes", "users")]);
}

#[test]
fn routes_that_somebody_else_writes_are_refused() {
    let rule_one = ":listener-rule/app/public/1/9/1";
    let stack = [("aws:cloudformation:stack-name", "web")];
    for tag in ["elbv2.k8s.aws/cluster", "ingress.k8s.aws/stack", "service.k8s.aws/stack"] {
        check(
            |_, inventory| {
                inventory.load_balancers[0].route_tags.insert(rule("public", 1), tags(&[(tag, "x")]));
            },
            &[("managed-by-load-balancer-controller", rule_one)],
        );
    }
    check(
        |_, inventory| {
            inventory.load_balancers[0].route_tags.insert(listener("public"), tags(&[("ingress.k8s.aws/stack", "x")]));
        },
        &[
            ("managed-by-load-balancer-controller", rule_one),
            ("managed-by-load-balancer-controller", ":listener/app/public/1/9"),
        ],
    );
    check(
        |_, inventory| inventory.load_balancers[0].tags = tags(&[("elbv2.k8s.aws/cluster", "x")]),
        &[("managed-by-load-balancer-controller", ":loadbalancer/app/public/1")],
    );
    check(
        |_, inventory| {
            inventory.load_balancers[0].route_tags.insert(rule("public", 1), tags(&stack));
        },
        &[("managed-by-cloudformation", rule_one)],
    );
    check(
        |policy, inventory| {
            policy.allow_managed_by = vec![ManagedBy::Cloudformation];
            inventory.load_balancers[0].route_tags.insert(rule("public", 1), tags(&stack));
        },
        &[("~managed-by-cloudformation", rule_one)],
    );
    check(
        |_, inventory| inventory.load_balancers[0].tags = tags(&stack),
        &[("~managed-by-cloudformation", ":loadbalancer/app/public/1")],
    );
    // A route that is not the service's may belong to anybody.
    check(
        |_, inventory| {
            inventory.load_balancers[0].route_tags.insert(rule("public", 2), tags(&stack));
        },
        &[],
    );
}

#[test]
fn the_refused_one_learns_who_holds_a_route_since_when() {
    let holder = |migration: &str| RouteHolder {
        route: rule("public", 1),
        service: ServiceName::parse("bookings").unwrap(),
        migration: MigrationId::parse(migration).unwrap(),
        since: Timestamp::UNIX_EPOCH,
        free_at: None,
    };
    let mut inventory = inventory();
    inventory.holders = vec![holder("bookings-3")];
    let findings = planned(&policy(), &inventory).unwrap_err();
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].code, FindingCode::RouteHeld);
    assert_eq!(
        findings[0].message,
        "rule 1 of public is held by migration bookings-3 of service bookings since 1970-01-01T00:00:00Z; wait for it, \
         or abort it"
    );
    // Whoever takes the locks waits for the last writer of one that is over.
    inventory.holders = vec![RouteHolder { free_at: Some(Timestamp::UNIX_EPOCH), ..holder("bookings-3") }];
    assert!(planned(&policy(), &inventory).is_ok());
    // A plan that is made again finds its own locks.
    inventory.holders = vec![holder("users-1")];
    assert!(planned(&policy(), &inventory).is_ok());
    // A time that people read has whole seconds, and is never too early.
    let free_at = Some("2026-11-28T05:33:35.796870459Z".parse().unwrap());
    let said = held_by(&[RouteHolder { free_at, ..holder("bookings-3") }], RouteId::describe);
    assert!(said.starts_with("rule 1 of public is free at 2026-11-28T05:33:36Z: bookings-3 is over"), "{said}");
}

#[test]
fn group_stickiness_is_attached_where_aws_requires_it() {
    let sticky = [("stickiness.enabled", "true"), ("stickiness.type", "lb_cookie")];
    let mut inventory = inventory();
    inventory.old_groups[0].attributes = tags(&sticky);
    let already = GroupStickiness { enabled: true, duration_seconds: Some(60) };
    let mut actions = forward(&[("users-public", 1)]);
    if let ActionKind::Forward(forward) = &mut actions[0].kind {
        forward.stickiness = Some(already);
    }
    inventory.load_balancers[0].routes[2].actions = actions;
    let plan = planned(&policy(), &inventory).unwrap();
    let attached: Vec<_> = plan.routes.iter().map(|route| route.attached_stickiness).collect();
    assert_eq!(attached, [Some(GroupStickiness { enabled: true, duration_seconds: Some(600) }), None, None]);
    let codes: Vec<_> = plan.findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [FindingCode::StickinessWhileAttached, FindingCode::RouteIsSticky]);
    assert_eq!(plan.groups[0].attributes, tags(&sticky));
}

#[test]
fn what_is_copied_and_may_not_fit_is_a_warning() {
    let public = ":targetgroup/users-public/1";
    check(
        |_, inventory| inventory.old_groups[0].group.settings.health_check.port = "8099".into(),
        &[("~fixed-health-check-port", public)],
    );
    check(
        |_, inventory| inventory.old_groups[0].group.settings.target_control_port = Some(3000),
        &[("~target-optimizer", public)],
    );
    let key = "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count";
    let with = |value: &'static str| {
        move |_: &mut ServicePolicy, inventory: &mut Inventory| {
            inventory.old_groups[0].attributes = tags(&[(key, value)]);
        }
    };
    check(with("2"), &[]);
    check(with("off"), &[]);
    check(with("3"), &[("~absolute-health-threshold", public)]);
}

#[test]
fn addresses_at_the_port_of_the_old_group_are_a_warning() {
    let (mut policy, inventory) = (policy(), inventory());
    let target = |number: u8| Target { id: format!("10.0.0.{number}"), port: None };
    policy.new_targets = NewTargets::Ips((1..=2).map(target).collect());
    let plan = planned(&policy, &inventory).unwrap();
    let [public, internal] = plan.findings.as_slice() else { panic!("{:?}", plan.findings) };
    assert_eq!([public.code, internal.code], [FindingCode::PortOfTheOldGroup; 2]);
    let said = "2 addresses have no port and will be registered at 8081, the port of users-public; if they answer at \
                another, write it: \"10.0.0.1:8080\"";
    assert_eq!(public.message, said);
}

#[test]
fn a_hold_that_one_execution_cannot_wait_for_is_a_warning() {
    check(|policy, _| policy.max_hold_seconds = 30 * 24 * 60 * 60, &[("~long-waits", "maxHold")]);
    check(|policy, _| policy.max_hold_seconds = 14 * 24 * 60 * 60, &[]);
}

#[test]
fn a_schedule_that_does_not_rise_to_100_is_refused_whoever_made_it() {
    check(
        |policy, _| {
            policy.schedule.steps.pop();
        },
        &[("bad-schedule", "schedule")],
    );
    check(|policy, _| policy.schedule.steps.swap(0, 1), &[("bad-schedule", "schedule")]);
    check(|policy, _| policy.schedule.steps.clear(), &[("bad-schedule", "schedule")]);
}

#[test]
fn fewer_new_targets_than_half_of_the_old_ones_are_a_warning() {
    let listed = |count: u8| {
        move |policy: &mut ServicePolicy, _: &mut Inventory| {
            let target = |number: u8| Target { id: format!("10.0.0.{number}"), port: Some(8080) };
            policy.new_targets = NewTargets::Ips((1..=count).map(target).collect());
        }
    };
    check(listed(2), &[]);
    check(listed(1), &[("too-few-targets", "newTargets"), ("too-few-targets", "newTargets")]);
    check(
        |policy, inventory| {
            listed(1)(policy, inventory);
            policy.min_healthy = 1;
        },
        &[("~new-side-smaller", ":targetgroup/users-public/1"), ("~new-side-smaller", ":targetgroup/users-internal/1")],
    );
}

#[test]
fn a_migration_that_moves_nothing_is_refused() {
    let at_zero = |routes: &'static [(usize, usize)]| {
        move |_: &mut ServicePolicy, inventory: &mut Inventory| {
            for (balancer, route) in routes {
                let old = if *balancer == 0 { "users-public" } else { "users-internal" };
                inventory.load_balancers[*balancer].routes[*route].actions = forward(&[(old, 0), ("beta", 1)]);
            }
        }
    };
    let rule_one = ("~no-old-traffic", ":listener-rule/app/public/1/9/1");
    let default = ("~no-old-traffic", ":listener/app/public/1/9");
    let internal = ("~no-old-traffic", ":listener-rule/app/internal/1/9/1");
    check(at_zero(&[(0, 0), (0, 2)]), &[rule_one, default]);
    check(at_zero(&[(0, 0), (0, 2), (1, 0)]), &[rule_one, default, internal, ("nothing-to-move", "users")]);
}

#[test]
fn new_targets_that_are_registered_in_the_old_group_are_refused() {
    let lists = |port: u16| {
        move |policy: &mut ServicePolicy, inventory: &mut Inventory| {
            let target = |id: &str, port| Target { id: id.into(), port: Some(port) };
            policy.new_targets = NewTargets::Instances(vec![target("i-0", port), target("i-7", 80)]);
            inventory.old_groups.truncate(1);
            inventory.load_balancers.truncate(1);
        }
    };
    check(lists(9), &[]);
    check(lists(2), &[("target-on-both-sides", ":targetgroup/users-public/1")]);
}
