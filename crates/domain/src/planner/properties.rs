//! Properties of every plan, for any routes and any schedule.

use super::fixture::{balancer, forward, inventory, observed, planned, policy, route, rule};
use crate::load_balancer::action::forward_of;
use crate::load_balancer::same_actions::equivalent;
use crate::plan::Severity;
use crate::policy::service_policy::{Schedule, ScheduleStep};
use crate::routing::route_edit::at_step;
use crate::weight::Weight;
use proptest::prelude::*;

fn schedule(tenths: &[u16]) -> Schedule {
    let step = |tenths: u16| ScheduleStep {
        weight: Weight::try_new(f64::from(tenths) / 10.0).unwrap(),
        bake_seconds: 600,
        approve: false,
        min_bake_seconds: None,
    };
    Schedule { steps: tenths.iter().copied().chain([1000]).map(step).collect() }
}

proptest! {
    #[test]
    fn an_accepted_plan_rises_at_every_step_of_every_route_that_carries_traffic(
        tenths in prop::collection::btree_set(1_u16..1000, 0..8),
        weights in prop::collection::vec((0_u16..=999, 0_u16..=999), 1..6),
    ) {
        let mut inventory = inventory();
        let routes = weights
            .iter()
            .enumerate()
            .map(|(number, (old, beta))| {
                route(rule("public", number), "public", forward(&[("users-public", *old), ("beta", *beta)]))
            })
            .collect();
        inventory.old_groups = vec![observed("users-public", "public")];
        inventory.load_balancers = vec![balancer("public", routes)];
        let mut policy = policy();
        policy.schedule = schedule(&tenths.into_iter().collect::<Vec<_>>());
        match planned(&policy, &inventory) {
            Err(findings) => {
                prop_assert!(findings.iter().any(|finding| finding.severity == Severity::Refusal));
            }
            Ok(plan) => {
                prop_assert_eq!(plan.routes.len(), weights.len());
                let new = super::fixture::group("new");
                for planned in &plan.routes {
                    let carries = forward_of(&planned.baseline).unwrap().weight_of(&planned.old) != Some(0);
                    prop_assert_eq!(planned.steps.len(), policy.schedule.steps.len() + 1);
                    prop_assert_eq!(planned.steps[0].new, 0);
                    prop_assert_eq!(planned.steps.last().unwrap().old, 0);
                    for pair in planned.steps.windows(2) {
                        let rises = pair[0].new < pair[1].new;
 prop_assert_eq!(rises, carries);
                    }
                    for step in 0..=plan.last_step() {
                        let actions = at_step(planned, &new, step).unwrap();
                        prop_assert!(forward_of(&actions).unwrap().total() > 0);
                        prop_assert!(!equivalent(&actions, &planned.baseline));
                    }
                }
            }
        }
    }
}
