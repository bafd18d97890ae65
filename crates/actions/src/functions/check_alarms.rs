//! `check-alarms`: every gate in one look, at the end of each slice of a bake.

use crate::error::ActionError;
use crate::migration::halt::halt;
use crate::migration::ownership::{Migration, Ownership, answer_if_superseded, read_ownership};
use crate::migration::write_journal::record;
use crate::observing::deadline::Deadline;
use crate::observing::health::health;
use crate::observing::read_comparison::compare;
use crate::payload::StepInput;
use crate::ports::Ports;
use crate::routes::read;
use crossfade_domain::alarms::quiet::AlarmsRead;
use crossfade_domain::gates::verdict::{SliceInputs, SliceVerdict, verdict};
use crossfade_domain::journal::cursor::{Cursor, NextStep};
use crossfade_domain::journal::{EventKind, Head, Phase};
use crossfade_domain::load_balancer::group::TargetHealth;
use crossfade_domain::names::TargetGroupArn;
use crossfade_domain::plan::SETTLE_SECONDS;
use crossfade_domain::routing::drift::Drift;
use futures::future::join5;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long the reads of one look may take together, in real time: with the table's patience before and after them they
/// stay below the 60 s of the function, whose death would lose what the other gates found.
const READS: Duration = Duration::from_secs(30);

/// Reads the alarms with their history since the locks were taken, the health of both sides, every route and what the
/// judge compares, and hands all of it, with the operator's commands and the elapsed bake, to the gates. Answers
/// `advance` (with the next step, or the one that was begun and had to wait), `bake`, `hold`, `approval`, `rollBack`,
/// `stop`, `halt` or `finish`. What cannot be read goes to the gates as unreadable, and is never taken for quiet: so
/// does what has not answered within 30 s, all reads being made at once.
///
/// May run again at any time; each run is one look.
///
/// # Errors
/// `InvalidRequest` for a wrong payload; `Transient` and `Denied` from the table alone.
pub async fn check_alarms(ports: &Ports, input: &Value) -> Result<Cursor, ActionError> {
    let step = StepInput::decode(input)?;
    match read_ownership(ports, &step).await? {
        Ownership::Lost(answer) => Ok(*answer),
        Ownership::Held(migration) => match check(ports, &migration).await {
            Ok(answer) => Ok(answer),
            Err(error) => answer_if_superseded(ports, &step, error).await,
        },
    }
}

async fn check(ports: &Ports, migration: &Migration) -> Result<Cursor, ActionError> {
    let Migration { head, plan } = migration;
    let deadline = Deadline::begin(ports, READS);
    let old: Vec<&TargetGroupArn> = plan.groups.iter().map(|group| &group.old).collect();
    let new: Vec<&TargetGroupArn> = head.new_groups.values().collect();
    let names = plan.alarms();
    let (alarms, new_side, old_side, drift, judge) = join5(
        deadline.limit(alarms(ports, &names, head)),
        deadline.limit(side(ports, &new)),
        deadline.limit(side(ports, &old)),
        deadline.limit(drift(ports, migration)),
        deadline.limit(compare(ports, head, plan)),
    )
    .await;
    let inputs = SliceInputs {
        plan,
        head,
        alarms,
        new_side,
        old_side,
        drift,
        judge: judge.transpose(),
        // Asked last, so that what is elapsed includes the reading.
        now: ports.clock.now(),
    };
    let said = verdict(&inputs);
    let step = head.verified_step.unwrap_or(0);
    if said.verdict == NextStep::Halt {
        return halt(ports, head, plan, step, &said.reason).await;
    }
    record(ports, head, |now| judged(now, &said)).await?;
    Ok(next(migration, step, &said))
}

async fn alarms(ports: &Ports, names: &[String], head: &Head) -> Result<AlarmsRead, ActionError> {
    if names.is_empty() {
        return Ok(AlarmsRead::default());
    }
    let port = |source| ActionError::Port { doing: format!("reading alarms {}", names.join(", ")), source };
    let found = ports.alarms.alarms(names).await.map_err(port)?;
    let firings = ports.alarms.firings(names, head.since).await.map_err(port)?;
    Ok(AlarmsRead { found, firings })
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

/// What goes into the journal. Looks that only go on baking or holding do not: they would bury the rest.
fn judged(head: &Head, said: &SliceVerdict) -> Option<EventKind> {
    let news = match said.verdict {
        NextStep::Hold | NextStep::Approval => head.held_since.is_none(),
        NextStep::Bake => head.held_since.is_some(),
        NextStep::RollBack => head.rollback_decided.is_none(),
        _ => true,
    };
    let judged = EventKind::Judged { verdict: said.verdict, reason: said.reason.clone() };
    (news && head.phase == Phase::Moving).then_some(judged)
}

fn next(migration: &Migration, step: u32, said: &SliceVerdict) -> Cursor {
    let next = if said.verdict == NextStep::Advance { migration.head.intended_step.unwrap_or(step + 1) } else { step };
    let wait = if said.verdict == NextStep::Stop { SETTLE_SECONDS } else { said.wait_seconds };
    let mut answer = migration.answer(next, said.verdict, wait, said.reason.as_str());
    answer.caused_at = (said.verdict == NextStep::RollBack).then_some(said.caused_at);
    answer
}
