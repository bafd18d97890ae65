//! A service on two load balancers that has migrated, and is taken apart.

mod decisions;
mod evidence;
mod forms;

use super::*;
use crate::journal::{EventKind, Head};
use crate::load_balancer::group::{HealthState, Target, TargetHealth};
use crate::names::ServiceName;
use crate::plan::Plan;
use crate::planner::fixture::{group, inventory, planned, policy};
use crate::policy::retire::{Evidence, Retire, Until, Waiver};
use crate::weight::Weight;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn days(number: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * number)
}

/// When the old side's weight was verified as 0.
fn zero() -> Timestamp {
    at(1_800_000_000)
}

fn migrated(plan: &Plan) -> Head {
    let mut head = Head::first(plan.service.clone(), 1, 1, "arn".into(), zero() - days(1));
    let new_groups = BTreeMap::from([
        (group("users-public"), group("new-public")),
        (group("users-internal"), group("new-internal")),
    ]);
    let last = plan.last_step();
    let kinds = [
        EventKind::GroupsCreated { groups: new_groups },
        EventKind::ShiftIntended { step: last, weight: Weight::FULL },
        EventKind::Shifted { step: last, weight: Weight::FULL },
        EventKind::Finished { listed: None },
    ];
    for kind in kinds {
        head = head.apply(&head.next_event(kind, zero())).unwrap();
    }
    head
}

fn records() -> BTreeMap<crate::names::TargetGroupArn, GroupRecord> {
    let all = inventory().old_groups.into_iter().map(|one| {
        let record = GroupRecord {
            arn: one.group.arn.clone(),
            name: one.group.name,
            settings: one.group.settings,
            attributes: one.attributes,
            tags: one.tags,
            targets: one.health.into_iter().map(|health| health.target).collect(),
        };
        (record.arn.clone(), record)
    });
    all.collect()
}

fn vouched() -> Retire {
    let waive = [Evidence::DirectCallers, Evidence::BackgroundWork]
        .map(|evidence| Waiver { evidence, why: "asked its owner".to_owned() });
    Retire { waive: waive.into(), ..Retire::default() }
}

fn plan_with(terms: &Retire) -> RetirementPlan {
    let plan = planned(&policy(), &inventory()).unwrap();
    plan_retirement(&migrated(&plan), &plan, &policy(), terms, &records(), 480).unwrap()
}

fn begun_with(terms: &Retire) -> Retirement {
    let service = ServiceName::parse("users").unwrap();
    let plan = plan_with(terms);
    let first = Retirement::first(service, None, plan.clone(), "anna", zero() + days(1));
    let (plan, who, execution) = (Box::new(plan), "anna".to_owned(), Some("arn:1".to_owned()));
    after(&first, RetirementEventKind::Begun { plan, who, execution }, zero() + days(1))
}

fn begun() -> Retirement {
    begun_with(&vouched())
}

fn after(head: &Retirement, kind: RetirementEventKind, now: Timestamp) -> Retirement {
    head.apply(&head.next_event(kind, now)).unwrap()
}

/// Targets of a group in one state.
fn targets(state: HealthState) -> Vec<TargetHealth> {
    let one = |port| TargetHealth { target: Target { id: "i-0".into(), port: Some(port) }, state, reason: None };
    (1..=3).map(one).collect()
}

/// What is seen while every route is in one of its forms and every group has its targets.
fn seen(retirement: &Retirement, detached: bool) -> Seen {
    let routes = retirement.plan.routes.iter();
    let live =
        routes.map(|route| (route.id.clone(), if detached { route.detached.clone() } else { route.attached.clone() }));
    let state = if detached { HealthState::Unused } else { HealthState::Healthy };
    Seen {
        live: live.collect(),
        registered: retirement.plan.old_groups().map(|group| (group.clone(), targets(state))).collect(),
        ..Seen::default()
    }
}
