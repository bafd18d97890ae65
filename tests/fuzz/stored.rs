//! Stored items: read as they are or refused in words, and what was read can be used.

use super::Case;
use super::mutation::document;
use crate::compatibility::stored;
use crossfade_domain::gates::checks::slice_seconds;
use crossfade_domain::gates::history_budget::most_checks_of;
use crossfade_domain::gates::verdict::{SliceInputs, verdict};
use crossfade_domain::journal::cursor::Cursor;
use crossfade_domain::journal::wording::{announcement, journal_line};
use crossfade_domain::journal::{Event, Head};
use crossfade_domain::plan::Plan;
use crossfade_domain::planner::inventory::RouteHolder;
use crossfade_domain::rollback::way_back;
use crossfade_domain::routing::drift::describe;
use crossfade_domain::routing::route_edit::at_step;
use crossfade_domain::windows::Calendars;
use jiff::Timestamp;
use rand::seq::IndexedRandom as _;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;

const HEADS: [&str; 3] = ["head", "head-resumed", "head-hook"];
const PLANS: [&str; 3] = ["plan", "plan-guarded", "plan-measured"];

pub(super) fn items() -> Case {
    let heads = HEADS.map(stored);
    let plans = PLANS.map(stored);
    let events = stored("events").as_array().unwrap().clone();
    let (lock, cursors) = (stored("lock"), [stored("cursor"), stored("cursor-hook")]);
    let plan: Plan = serde_json::from_value(plans[0].clone()).unwrap();
    let head: Head = serde_json::from_value(heads[0].clone()).unwrap();
    Box::new(move |rng| {
        let mut of = |originals: &[Value]| {
            let original = originals.choose(rng).expect("there is one").clone();
            document(rng, &original)
        };
        if let Some(event) = read::<Event>(of(&events))? {
            let _line = (journal_line(&event), announcement(&event));
            let _next = head.apply(&event);
        }
        if let Some(head) = read::<Head>(of(&heads))? {
            used(&head, &plan);
        }
        if let Some(plan) = read::<Plan>(of(&plans))? {
            used(&head, &plan);
        }
        read::<RouteHolder>(of(std::slice::from_ref(&lock)))?;
        read::<Cursor>(of(&cursors)).map(drop)
    })
}

/// What was stored, or none where it is refused.
fn read<T: DeserializeOwned>(item: Value) -> Result<Option<T>, String> {
    match serde_json::from_value(item) {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.to_string().len() > 5 => Ok(None),
        Err(error) => Err(format!("refused without words: {error}")),
    }
}

/// What the functions compute from a head and a plan.
fn used(head: &Head, plan: &Plan) {
    let now = Timestamp::UNIX_EPOCH;
    let _ = (head.at_rest_since(), head.new_side_may_have_traffic(), plan.last_step(), plan.alarms());
    let _ = (slice_seconds(&plan.policy, 60), most_checks_of(&plan.policy));
    for route in &plan.routes {
        let _ = (route.id.describe(), describe(&route.baseline));
        for new in head.new_groups.values() {
            for step in 0..=plan.last_step().min(50) + 1 {
                let _edit = at_step(route, new, step);
            }
            let _back = way_back(route, &route.baseline, Some(new));
        }
    }
    let unread = || Err("not read".to_owned());
    let inputs = SliceInputs {
        calendars: Calendars::default(),
        checks: 0,
        now,
        plan,
        head,
        alarms: unread().map(|()| crossfade_domain::alarms::quiet::AlarmsRead::default()),
        new_side: Ok(BTreeMap::new()),
        old_side: Ok(BTreeMap::new()),
        drift: Ok(Vec::new()),
        strays: Ok(Vec::new()),
        outside: None,
        judge: None,
    };
    let _verdict = verdict(&inputs);
}
