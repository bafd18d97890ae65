use super::*;
use crate::load_balancer::action::{GroupStickiness, forward_of};
use crate::load_balancer::route::RouteId;
use crate::load_balancer::same_actions::equivalent;
use crate::names::LoadBalancerArn;
use proptest::prelude::*;
use serde_json::json;

const PREFIX: &str = "arn:aws:elasticloadbalancing:eu-west-1:1";

fn group(name: &str) -> TargetGroupArn {
    TargetGroupArn::parse(format!("{PREFIX}:targetgroup/{name}/1")).unwrap()
}

fn old() -> TargetGroupArn {
    group("old")
}

fn new() -> TargetGroupArn {
    group("new")
}

fn forward(groups: &[(&str, u16)]) -> Action {
    let groups = groups.iter().map(|(name, weight)| WeightedGroup { group: group(name), weight: *weight }).collect();
    Action { order: None, kind: ActionKind::Forward(Forward { groups, stickiness: None }) }
}

fn planned(baseline: Vec<Action>, weights: &[Weight]) -> PlannedRoute {
    let steps = std::iter::once(&Weight::ZERO)
        .chain(weights)
        .map(|weight| step_weights(&baseline, &old(), *weight).unwrap())
        .collect();
    PlannedRoute {
        owner: None,
        id: RouteId::parse(format!("{PREFIX}:listener-rule/app/public/1/2/3")).unwrap(),
        load_balancer: LoadBalancerArn::parse(format!("{PREFIX}:loadbalancer/app/public/1")).unwrap(),
        requests: String::new(),
        old: old(),
        baseline,
        attached_stickiness: None,
        steps,
    }
}

fn percent(value: f64) -> Weight {
    Weight::try_new(value).unwrap()
}

#[test]
fn weights_are_the_nearest_integers_in_one_scale() {
    #[track_caller]
    fn check(groups: &[(&str, u16)], weight: f64, expected: (u16, u16, u16)) {
        let found = step_weights(&[forward(groups)], &old(), percent(weight)).unwrap();
        assert_eq!((found.old, found.new, found.scale), expected);
    }
    check(&[("old", 1)], 0.0, (999, 0, 1));
    check(&[("old", 1)], 0.1, (999, 1, 1));
    check(&[("old", 1)], 5.0, (950, 50, 1));
    check(&[("old", 100)], 99.9, (1, 999, 1));
    check(&[("old", 1)], 100.0, (0, 999, 1));
    check(&[("old", 80), ("beta", 20)], 0.0, (960, 0, 12));
    check(&[("old", 80), ("beta", 20)], 5.0, (912, 48, 12));
    check(&[("old", 80), ("beta", 20)], 100.0, (0, 960, 12));
    check(&[("old", 999), ("beta", 1)], 50.0, (499, 500, 1));
    check(&[("old", 1), ("beta", 999)], 1.0, (1, 0, 1));
    check(&[("old", 0), ("beta", 7)], 50.0, (0, 0, 142));
}

#[test]
fn actions_that_cannot_be_edited_are_refused() {
    #[track_caller]
    fn check(baseline: &[Action], expected: &EditError) {
        assert_eq!(step_weights(baseline, &old(), Weight::FULL).as_ref(), Err(expected));
    }
    let unknown = Action { order: None, kind: ActionKind::Unknown("teleport".into()) };
    check(&[unknown, forward(&[("old", 1)])], &EditError::UnknownAction("teleport".into()));
    check(&[], &EditError::NoForward);
    check(&[forward(&[("old", 0), ("beta", 0)])], &EditError::AllWeightsZero);
    check(&[forward(&[("a", 1), ("b", 1)])], &EditError::OldGroupMissing { old: old(), named: "a, b".into() });
    check(&[forward(&[("old", 1), ("a", 1), ("b", 1), ("c", 1), ("d", 1)])], &EditError::TooManyGroups { count: 6 });
}

#[test]
fn a_step_outside_the_plan_or_a_group_attached_twice_is_refused() {
    let route = planned(vec![forward(&[("old", 1)])], &[Weight::FULL]);
    assert_eq!(at_step(&route, &new(), 2), Err(EditError::NoSuchStep { step: 2, last: 1 }));
    let twice = planned(vec![forward(&[("old", 1), ("new", 1)])], &[Weight::FULL]);
    assert_eq!(at_step(&twice, &new(), 0), Err(EditError::NewGroupPresent(new())));
}

#[test]
fn attached_stickiness_is_on_at_every_step() {
    let mut route = planned(vec![forward(&[("old", 1)])], &[percent(5.0), Weight::FULL]);
    let sticky = GroupStickiness { enabled: true, duration_seconds: Some(300) };
    route.attached_stickiness = Some(sticky);
    for step in 0..3 {
        let actions = at_step(&route, &new(), step).unwrap();
        assert_eq!(forward_of(&actions).unwrap().stickiness, Some(sticky));
    }
}

#[test]
fn our_group_is_taken_out_of_a_foreign_edit_and_its_weight_goes_to_the_old_group() {
    #[track_caller]
    fn check(live: &[(&str, u16)], expected: &[(&str, u16)]) {
        let found = without_group(&[forward(live)], &old(), &new()).unwrap();
        assert_eq!(found, WithoutGroup::Removed(vec![forward(expected)]));
    }
    check(&[("old", 90), ("new", 10)], &[("old", 100)]);
    check(&[("old", 90), ("beta", 7), ("new", 10)], &[("old", 100), ("beta", 7)]);
    check(&[("new", 10), ("old", 0)], &[("old", 10)]);
    check(&[("old", 0), ("new", 0)], &[("old", 1)]);
    check(&[("old", 0), ("new", 0), ("beta", 0)], &[("old", 1), ("beta", 0)]);
    // 1998 of 1998 + 999: two thirds to one third, and a group with traffic keeps some.
    check(&[("old", 999), ("new", 999), ("beta", 999), ("c", 1)], &[("old", 999), ("beta", 500), ("c", 1)]);
}

#[test]
fn a_group_already_gone_and_an_old_group_gone_are_told_apart() {
    assert_eq!(without_group(&[forward(&[("old", 1)])], &old(), &new()), Ok(WithoutGroup::AlreadyGone));
    assert_eq!(without_group(&[forward(&[("beta", 1)])], &old(), &new()), Ok(WithoutGroup::AlreadyGone));
    assert_eq!(without_group(&[], &old(), &new()), Ok(WithoutGroup::AlreadyGone));
    assert_eq!(
        without_group(&[forward(&[("new", 1), ("beta", 1)])], &old(), &new()),
        Err(EditError::OldGroupMissing { old: old(), named: "new, beta".into() })
    );
    let unknown = Action { order: None, kind: ActionKind::Unknown("teleport".into()) };
    assert_eq!(
        without_group(&[unknown, forward(&[("old", 1), ("new", 1)])], &old(), &new()),
        Err(EditError::UnknownAction("teleport".into()))
    );
}

fn login() -> Action {
    let settings =
        serde_json::from_value(json!({"Issuer": "https://id", "ClientId": "a", "SessionTimeout": 60})).unwrap();
    Action { order: Some(3), kind: ActionKind::AuthenticateOidc(settings) }
}

prop_compose! {
    /// A baseline as a load balancer may hold one: the old group among up to three others, perhaps behind a login.
    fn baseline()(
        weights in prop::collection::vec(0_u16..=999, 1..=4),
        place in 0_usize..4,
        with_login in any::<bool>(),
        sticky in prop::option::of((any::<bool>(), 1_i32..=604_800)),
        order in prop::option::of(4_i32..50_000),
    ) -> Vec<Action> {
        let place = place % weights.len();
        let groups: Vec<WeightedGroup> = weights
            .iter()
            .enumerate()
            .map(|(index, weight)| WeightedGroup {
                group: if index == place { old() } else { group(&format!("other-{index}")) },
                weight: if weights.iter().all(|weight| *weight == 0) { 1 } else { *weight },
            })
            .collect();
        let stickiness = sticky.map(|(enabled, seconds)| GroupStickiness { enabled, duration_seconds: Some(seconds) });
        let split = Action { order, kind: ActionKind::Forward(Forward { groups, stickiness }) };
        if with_login { vec![login(), split] } else { vec![split] }
    }
}

prop_compose! {
    fn schedule()(tenths in prop::collection::btree_set(1_u16..1000, 0..6)) -> Vec<Weight> {
        tenths.into_iter().map(|tenths| percent(f64::from(tenths) / 10.0)).chain([Weight::FULL]).collect()
    }
}

/// Share of a group in a forward action.
fn share(forward: &Forward, group: &TargetGroupArn) -> f64 {
    f64::from(forward.weight_of(group).unwrap_or(0)) / f64::from(forward.total())
}

proptest! {
    #[test]
    fn an_edit_changes_nothing_but_the_weights_of_the_two_groups(baseline in baseline(), schedule in schedule()) {
        let route = planned(baseline.clone(), &schedule);
        let before = forward_of(&baseline).unwrap();
        for step in 0..route.steps.len() {
            let after = at_step(&route, &new(), u32::try_from(step).unwrap()).unwrap();
            prop_assert_eq!(after.len(), baseline.len());
            for (then, now) in baseline.iter().zip(&after) {
                prop_assert_eq!(then.order, now.order);
                if then.as_forward().is_none() {
                    prop_assert_eq!(then, now);
                }
            }
            let forward = forward_of(&after).unwrap();
            prop_assert_eq!(forward.stickiness, before.stickiness);
            let groups = forward.groups.iter().map(|tuple| &tuple.group);
            let left: Vec<_> = groups.filter(|group| **group != new()).collect();
            prop_assert_eq!(left, before.groups.iter().map(|tuple| &tuple.group).collect::<Vec<_>>());
            prop_assert!(forward.total() > 0);
            prop_assert!(forward.groups.iter().all(|tuple| tuple.weight <= GREATEST_WEIGHT));
        }
    }

    #[test]
    fn others_keep_their_share_exactly_and_ours_is_within_a_tenth_of_a_point(
        baseline in baseline(), tenths in 0_u16..=1000,
    ) {
        let weight = percent(f64::from(tenths) / 10.0);
        let route = planned(baseline.clone(), &[weight]);
        let after = at_step(&route, &new(), 1).unwrap();
        let (before, after) = (forward_of(&baseline).unwrap(), forward_of(&after).unwrap());
        for tuple in before.groups.iter().filter(|tuple| tuple.group != old()) {
            // Cross products, since a share is a fraction: exact, without rounding.
            let now = u64::from(after.weight_of(&tuple.group).unwrap());
            prop_assert_eq!(now * u64::from(before.total()), u64::from(tuple.weight) * u64::from(after.total()));
        }
        let asked = share(before, &old()) * weight.percent() / 100.0;
        prop_assert!((share(after, &new()) - asked).abs() <= 0.001 + 1e-12);
        if tenths == 0 {
            prop_assert_eq!(after.weight_of(&new()), Some(0));
        }
        if tenths == 1000 {
            prop_assert_eq!(after.weight_of(&old()), Some(0));
        }
    }

    #[test]
    fn weights_never_fall_over_the_steps(baseline in baseline(), schedule in schedule()) {
        let route = planned(baseline, &schedule);
        for pair in route.steps.windows(2) {
            prop_assert!(pair[0].new <= pair[1].new);
            prop_assert!(pair[0].old >= pair[1].old);
            prop_assert_eq!(pair[0].scale, pair[1].scale);
        }
    }

    #[test]
    fn taking_our_group_out_gives_the_shares_of_the_baseline(baseline in baseline(), schedule in schedule()) {
        let route = planned(baseline.clone(), &schedule);
        let before = forward_of(&baseline).unwrap();
        for step in 0..route.steps.len() {
            let live = at_step(&route, &new(), u32::try_from(step).unwrap()).unwrap();
            let WithoutGroup::Removed(returned) = without_group(&live, &old(), &new()).unwrap() else {
                panic!("our group is in every step");
            };
            let after = forward_of(&returned).unwrap();
            for tuple in &before.groups {
                prop_assert!((share(before, &tuple.group) - share(after, &tuple.group)).abs() < 1e-9);
            }
            prop_assert_eq!(without_group(&returned, &old(), &new()), Ok(WithoutGroup::AlreadyGone));
            if before.groups.len() == 1 {
                prop_assert!(equivalent(&returned, &baseline));
            }
        }
    }
}
