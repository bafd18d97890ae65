//! `check-alarms`: every gate at once, at the end of each slice of a bake.

use crate::error::ActionError;
use crate::migration::Migration;
use crate::migration::ownership::owned;
use crate::payload::StepInput;
use crate::ports::Ports;
use crate::reads::alarms::alarms_since;
use crate::reads::calendars::calendars_of;
use crate::reads::comparison::compare;
use crate::reads::deadline::Deadline;
use crate::reads::health::health;
use crate::routes::{list, read};
use crossfade_domain::gates::outside::{calls, read_answers};
use crossfade_domain::gates::verdict::{SliceInputs, SliceVerdict, observations, verdict};
use crossfade_domain::journal::cursor::{Cursor, NextStep};
use crossfade_domain::journal::settle::SETTLE_SECONDS;
use crossfade_domain::journal::{EventKind, Head, Phase};
use crossfade_domain::load_balancer::group::TargetHealth;
use crossfade_domain::names::TargetGroupArn;
use crossfade_domain::routing::drift::Drift;
use crossfade_domain::routing::stray::StrayRoute;
use futures::FutureExt as _;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long the reads of one check may take together, in real time. With the table's time limits before and after them
/// they stay below the 60 s of the function. If it timed out, everything that the other gates found would be lost.
const READS: Duration = Duration::from_secs(30);

/// Reads the alarms with their history since the locks were taken, the health of both sides, every route and what the
/// judge compares. At the last step it also lists every route of the old groups' load balancers. Hands all of it to the
/// gates, with the operator's commands and the elapsed bake. Returns:
///
/// - `ask`, with the outside gates of the policy, unless the others roll back: the machine asks them, and then runs
///   this function once more with what came of it;
/// - `advance`, with the next step, or with the one that was begun and had to wait;
/// - `bake`, `hold`, `approval` or `closed`: keep the weight for another slice;
/// - `finish` after the last bake;
/// - `rollBack`, `stop` or `halt`.
///
/// All reads are made at once. The gates get what cannot be read, or has not answered within 30 s, as unreadable, and
/// never take it for quiet.
///
/// May run again at any time; each run is one check.
///
/// # Errors
/// `InvalidRequest` for a wrong payload; `Transient` and `Denied` from the table alone.
pub async fn check_alarms(ports: &Ports, input: &Value) -> Result<Cursor, ActionError> {
    owned(ports, input, |ports, migration, input| check(ports, migration, input).boxed()).await
}

async fn check(ports: &Ports, migration: &mut Migration, input: &StepInput) -> Result<Cursor, ActionError> {
    let Migration { head, plan } = &*migration;
    let deadline = Deadline::begin(ports, READS);
    let old: Vec<&TargetGroupArn> = plan.groups.iter().map(|group| &group.old).collect();
    let new: Vec<&TargetGroupArn> = head.new_groups.values().collect();
    let names = plan.alarms();
    let (alarms, new_side, old_side, drift, strays, judge, calendars) = futures::join!(
        deadline.limit(alarms_since(ports, &names, head.since)),
        deadline.limit(side(ports, &new)),
        deadline.limit(side(ports, &old)),
        deadline.limit(drift(ports, migration)),
        strays(ports, migration),
        deadline.limit(compare(ports, head, plan)),
        calendars_of(ports, &plan.policy, head),
    );
    // The time after the reads, because they count as part of the bake.
    let now = ports.clock.now();
    let (asked, answers) = (input.asked.as_ref(), input.answers.as_ref());
    let inputs = SliceInputs {
        checks: input.checks,
        calendars,
        plan,
        head,
        alarms,
        new_side,
        old_side,
        drift,
        strays,
        judge: judge.transpose(),
        outside: read_answers(&plan.policy.gates.outside, asked, answers, now),
        now,
    };
    let said = verdict(&inputs);
    let observed = observations(&inputs);
    let step = head.verified_step.unwrap_or(0);
    if said.verdict == NextStep::Ask {
        let ask = calls(plan, head, now);
        return Ok(Cursor { ask, ..migration.answer(step, NextStep::Ask, said.reason) });
    }
    // A rollback does not wait for this record.
    if said.verdict != NextStep::RollBack {
        migration.observe(ports, &observed).await?;
    }
    if said.verdict == NextStep::Halt {
        return migration.halt(ports, step, &said.reason).await;
    }
    migration.record(ports, |now| judged(now, &said)).await?;
    Ok(next(migration, step, &said))
}

async fn side(
    ports: &Ports,
    groups: &[&TargetGroupArn],
) -> Result<BTreeMap<TargetGroupArn, Vec<TargetHealth>>, ActionError> {
    let mut found = BTreeMap::new();
    for group in groups {
        found.insert((*group).clone(), health(ports, group).await?);
    }
    Ok(found)
}

async fn drift(ports: &Ports, migration: &Migration) -> Result<Vec<Drift>, ActionError> {
    Ok(read::drift(ports, &migration.plan, &migration.head).await?.1)
}

/// Routes outside the plan, listed at each look of the last step: after it, no shift looks for them.
async fn strays(ports: &Ports, migration: &Migration) -> Result<Vec<StrayRoute>, String> {
    let Migration { head, plan } = migration;
    if head.verified_step != Some(plan.last_step()) {
        return Ok(Vec::new());
    }
    Ok(list::strays(ports, plan, head).await?.1)
}

/// What goes into the journal. Checks that only continue to bake or hold do not: they would bury the rest.
fn judged(head: &Head, said: &SliceVerdict) -> Option<EventKind> {
    let news = match said.verdict {
        NextStep::Hold | NextStep::Approval => head.held_since.is_none(),
        NextStep::Closed => head.closed_since.is_none(),
        NextStep::Bake => head.held_since.is_some() || head.closed_since.is_some(),
        NextStep::RollBack => head.rollback_decided.is_none(),
        _ => true,
    };
    let judged = EventKind::Judged { verdict: said.verdict, reason: said.reason.clone() };
    (news && head.phase == Phase::Moving).then_some(judged)
}

fn next(migration: &Migration, step: u32, said: &SliceVerdict) -> Cursor {
    let next = if said.verdict == NextStep::Advance { migration.head.intended_step.unwrap_or(step + 1) } else { step };
    let wait = if said.verdict == NextStep::Stop { SETTLE_SECONDS } else { said.wait_seconds };
    let caused_at = (said.verdict == NextStep::RollBack).then_some(said.caused_at);
    Cursor { caused_at, ..migration.answer(next, said.verdict, said.reason.as_str()).waiting(wait) }
}
