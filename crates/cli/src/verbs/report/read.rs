//! Reads what a page is drawn from.

use crossfade_actions::error::ActionError;
use crossfade_actions::operator::replay::{NotReplayed, plan_of_attempt, replay};
use crossfade_actions::operator::requests::{RequestsOfMinute, count_requests};
use crossfade_actions::ports::Ports;
use crossfade_domain::journal::{Event, Head};
use crossfade_domain::judge::verdict::{ln_fail_needed, ln_pass_needed};
use crossfade_domain::names::MigrationId;
use crossfade_domain::plan::Plan;
use crossfade_report::{CountedMinute, JudgeSaid, MigrationReport, Traffic};

/// Everything about one of a service's migrations; `None` if there is no such migration. What CloudWatch does not
/// answer is left out, with the reason.
///
/// # Errors
/// The ledger's.
pub(in crate::verbs) async fn migration(
    ports: &Ports,
    head: &Head,
    migration: &MigrationId,
) -> Result<Option<MigrationReport>, ActionError> {
    let events = ports.ledger.events(&head.service, migration).await;
    let doing = || format!("reading the journal of {migration}");
    let events = events.map_err(|source| ActionError::Ledger { doing: doing(), source })?;
    if events.is_empty() {
        return Ok(None);
    }
    let plan = plan_of_attempt(ports, head, migration).await?;
    let traffic = traffic(ports, &plan, &events).await;
    let judge = match &traffic {
        Traffic::Counted(_) if plan.policy.judge => judge(ports, head, migration).await,
        _ => None,
    };
    let (service, migration) = (head.service.clone(), migration.clone());
    Ok(Some(MigrationReport { service, migration, events, plan: Some(plan), traffic, clients: None, judge }))
}

async fn traffic(ports: &Ports, plan: &Plan, events: &[Event]) -> Traffic {
    match count_requests(ports, plan, events).await {
        Ok(Ok(minutes)) => Traffic::Counted(minutes.iter().map(counted).collect()),
        Ok(Err(why)) => Traffic::Unknown(not_counted(why)),
        Err(error) => Traffic::Unknown(error.chain()),
    }
}

fn counted(minute: &RequestsOfMinute) -> CountedMinute {
    let RequestsOfMinute { start, errors, slow } = *minute;
    CountedMinute {
        start,
        old: errors.old,
        old_failed: errors.old_bad,
        old_slow: slow.map(|slow| slow.old_bad),
        new: errors.new,
        new_failed: errors.new_bad,
        new_slow: slow.map(|slow| slow.new_bad),
    }
}

fn not_counted(why: NotReplayed) -> String {
    match why {
        NotReplayed::Unknown | NotReplayed::NoTraffic => "the new cluster was given no traffic".to_owned(),
        NotReplayed::TooShort => "it was back within a minute of its first traffic".to_owned(),
        NotReplayed::TooEarly { from } => {
            format!("CloudWatch still counts its first minute, until {}", from.strftime("%Y-%m-%d %H:%M UTC"))
        }
        NotReplayed::CountsAreGone { first } => format!(
            "CloudWatch keeps the counts of single minutes for 15 days, and its first traffic was on {}",
            first.strftime("%Y-%m-%d at %H:%M UTC")
        ),
    }
}

/// What the judge says now, with its own plan; `None` where the counts do not suffice.
async fn judge(ports: &Ports, head: &Head, migration: &MigrationId) -> Option<JudgeSaid> {
    let attempt = migration.as_str().rsplit('-').next()?.parse().ok()?;
    let replay = replay(ports, head, attempt).await.ok()?.ok()?;
    let metrics = replay.judgement.metrics.iter().map(|(kind, evidence)| {
        let [new_bad, new, old_bad, old] = evidence.window;
        let (new, old) = (format!("{new_bad} of {new}"), format!("{old_bad} of {old}"));
        (kind.to_string(), evidence.ln_fail, evidence.ln_pass, new, old)
    });
    Some(JudgeSaid {
        metrics: metrics.collect(),
        harm_needed: ln_fail_needed(replay.judgement.metrics.len(), replay.parameters.alpha),
        fine_needed: ln_pass_needed(),
        sentence: replay.judgement.sentence,
    })
}
