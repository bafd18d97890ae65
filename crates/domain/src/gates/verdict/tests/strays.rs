//! Routes outside the plan, at the last step.

use super::*;
use crate::routing::stray::Side;

fn stray() -> StrayRoute {
    StrayRoute {
        route: RouteId::parse(format!("{PREFIX}:listener-rule/app/public/1/2/3")).unwrap(),
        requests: "path /api/*, port 443".into(),
        group: group("old"),
        side: Side::Old,
    }
}

const SAID: &str = "drift: not in the plan: public:443 path /api/* sends traffic to the old group old";

#[test]
fn a_route_outside_the_plan_halts_with_both_ways_on() {
    let mut scene = Scene::new();
    scene.strays = Ok(vec![stray()]);
    let found = scene.verdict();
    assert_eq!((found.verdict, found.gate), (NextStep::Halt, Gate::Drift));
    assert!(found.reason.starts_with(SAID), "{}", found.reason);
    let ways = ["not all traffic would move", "`crossfade resume users`", "`crossfade rollback users`", "start again"];
    assert!(ways.iter().all(|way| found.reason.contains(way)), "{}", found.reason);
}

#[test]
fn a_route_outside_the_plan_rolls_back_where_the_policy_says_so_of_drift() {
    let drifts_back = |scene: &mut Scene| {
        scene.plan.policy.on_drift = OnDrift::Rollback;
        scene.strays = Ok(vec![stray()]);
    };
    check(drifts_back, NextStep::RollBack, 0, SAID);
}

#[test]
fn routes_that_cannot_be_listed_hold() {
    let unreadable = |scene: &mut Scene| scene.strays = Err("throttled".into());
    check(unreadable, NextStep::Hold, 60, "drift: could not be read: throttled");
}
