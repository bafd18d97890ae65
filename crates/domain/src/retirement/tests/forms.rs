//! The final form of a route, and the record of a group.

use super::*;
use crate::load_balancer::action::{Action, ActionKind, Forward, GroupStickiness, WeightedGroup, forward_of};
use crate::load_balancer::same_actions::equivalent;
use crate::plan::PlannedRoute;
use crate::planner::fixture::{balancer_arn, forward, rule};
use crate::routing::route_edit::step_weights;
use crate::weight::Weight;
use proptest::prelude::*;

fn route(baseline: Vec<Action>, attached_stickiness: Option<GroupStickiness>) -> PlannedRoute {
    let steps = [Weight::ZERO, Weight::FULL].map(|weight| step_weights(&baseline, &group("old"), weight).unwrap());
    PlannedRoute {
        id: rule("public", 1),
        load_balancer: balancer_arn("public"),
        requests: String::new(),
        old: group("old"),
        baseline,
        attached_stickiness,
        steps: steps.into(),
        owner: None,
    }
}

#[test]
fn one_group_stays_one_group_and_others_keep_their_baseline_weights() {
    let new = group("new");
    assert_eq!(final_form(&route(forward(&[("old", 1)]), None), &new).unwrap(), forward(&[("new", 1)]));
    let shared = route(forward(&[("old", 80), ("beta", 20)]), None);
    assert_eq!(final_form(&shared, &new).unwrap(), forward(&[("new", 80), ("beta", 20)]));
}

#[test]
fn stickiness_that_only_two_groups_needed_leaves_with_the_old_one_and_comes_back_with_it() {
    let sticky = GroupStickiness { enabled: true, duration_seconds: Some(86_400) };
    let route = route(forward(&[("old", 1)]), Some(sticky));
    let new = group("new");
    assert!(!forward_of(&final_form(&route, &new).unwrap()).unwrap().is_sticky());
    assert_eq!(forward_of(&attached_form(&route, &new).unwrap()).unwrap().stickiness, Some(sticky));
}

proptest! {
    #[test]
    fn the_final_form_has_the_baselines_shape(
        old in 1u16..=500,
        others in proptest::collection::vec(0u16..=500, 0..4),
        place in 0usize..4,
        sticky in any::<bool>(),
        logs_in in any::<bool>(),
    ) {
        let names = ["a", "b", "c"];
        let mut groups: Vec<WeightedGroup> = others.iter().zip(names)
            .map(|(weight, name)| WeightedGroup { group: group(name), weight: *weight }).collect();
        groups.insert(place.min(groups.len()), WeightedGroup { group: group("old"), weight: old });
        let stickiness = sticky.then_some(GroupStickiness { enabled: true, duration_seconds: Some(60) });
        let mut baseline = vec![Action {
            order: Some(2),
            kind: ActionKind::Forward(Forward { groups: groups.clone(), stickiness }),
        }];
        if logs_in {
            baseline.push(Action { order: Some(1), kind: ActionKind::AuthenticateOidc(BTreeMap::new()) });
        }
        let route = route(baseline.clone(), None);
        let form = final_form(&route, &group("new")).unwrap();
        prop_assert_eq!(form.len(), baseline.len());
        let forward = forward_of(&form).unwrap();
        prop_assert_eq!(forward.stickiness, stickiness);
        prop_assert_eq!(forward.weight_of(&group("old")), None);
        prop_assert_eq!(forward.weight_of(&group("new")), Some(old));
        for one in groups.iter().filter(|one| one.group != group("old")) {
            prop_assert_eq!(forward.weight_of(&one.group), Some(one.weight));
        }
        // The new group's share of all requests is what the migration has left it with.
        let attached = attached_form(&route, &group("new")).unwrap();
        let share = |actions: &[Action]| crate::load_balancer::action::share_of(actions, &group("new"));
        prop_assert!(share(&attached).abs_diff(share(&form)) <= 1);
        prop_assert!(!equivalent(&attached, &form));
    }
}

#[test]
fn a_record_prints_the_commands_that_create_the_group_again() {
    let mut record = records()[&group("users-public")].clone();
    record.attributes.insert("stickiness.type".to_owned(), "lb_cookie".to_owned());
    record.tags.insert("owner".to_owned(), "anna's team, EU".to_owned());
    record.targets = vec![Target { id: "i-1".into(), port: Some(8081) }, Target { id: "i-2".into(), port: None }];
    let commands = record.commands();
    assert_eq!(
        commands,
        [
            "group=$(aws elbv2 create-target-group --name users-public --protocol HTTP --port 8081 --target-type \
             instance --protocol-version HTTP1 --ip-address-type ipv4 --vpc-id vpc-1 --health-check-enabled \
             --health-check-protocol HTTP --health-check-port traffic-port --health-check-path /health \
             --health-check-interval-seconds 10 --health-check-timeout-seconds 5 --healthy-threshold-count 3 \
             --unhealthy-threshold-count 2 --matcher '{\"HttpCode\":\"200-299\"}' --tags \
             '[{\"Key\":\"owner\",\"Value\":\"anna'\\''s team, EU\"}]' --query 'TargetGroups[0].TargetGroupArn' \
             --output text)",
            "aws elbv2 modify-target-group-attributes --target-group-arn \"$group\" --attributes \
             '[{\"Key\":\"stickiness.type\",\"Value\":\"lb_cookie\"}]'",
            "aws elbv2 register-targets --target-group-arn \"$group\" --targets \
             '[{\"Id\":\"i-1\",\"Port\":8081},{\"Id\":\"i-2\"}]'",
        ]
    );
}

#[test]
fn a_controller_that_would_register_targets_again_is_named() {
    let plan = planned(&policy(), &inventory()).unwrap();
    let mut records = records();
    let tags = &mut records.get_mut(&group("users-public")).unwrap().tags;
    tags.insert("elbv2.k8s.aws/cluster".to_owned(), "first".to_owned());
    let plan = plan_retirement(&migrated(&plan), &plan, &policy(), &vouched(), &records, 480).unwrap();
    assert_eq!(plan.registrars, ["a load balancer controller (tag elbv2.k8s.aws/cluster of users-public)"]);
}

#[test]
fn whoever_owns_a_route_is_told_what_changes_in_it() {
    let plan = plan_with(&vouched());
    let shared = plan.routes.iter().find(|route| route.id == rule("internal", 1)).unwrap();
    let lines = shared.for_its_owner();
    let [new, old, beta] = ["new-internal", "users-internal", "beta"].map(group);
    assert_eq!(lines[0], format!("rule 1 of internal: write {new}, {beta} where {old} was"));
    assert!(lines[1].ends_with("take its actions out of ignore_changes"), "{lines:?}");
}

#[test]
fn a_retirement_is_refused_where_the_service_has_not_migrated_or_nothing_shows_that_it_does_no_other_work() {
    let plan = planned(&policy(), &inventory()).unwrap();
    let mut head = migrated(&plan);
    let problems = plan_retirement(&head, &plan, &policy(), &Retire::default(), &records(), 480).unwrap_err();
    assert!(problems.iter().any(|problem| problem.contains("waive directCallers with a reason")), "{problems:?}");
    assert!(problems.iter().any(|problem| problem.contains("waive backgroundWork with a reason")), "{problems:?}");
    head.phase = crate::journal::Phase::Halted;
    let problems = plan_retirement(&head, &plan, &policy(), &vouched(), &records(), 480).unwrap_err();
    assert!(problems[0].starts_with("users-1 is halted"), "{problems:?}");
}
