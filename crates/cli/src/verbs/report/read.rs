//! Reads what a page is drawn from.

use crossfade_actions::error::ActionError;
use crossfade_actions::operator::replay::{NotReplayed, Replay, plan_of_attempt};
use crossfade_actions::operator::requests::{CountedMigration, count_requests};
use crossfade_actions::operator::retirements::retirements_of;
use crossfade_actions::ports::{LedgerError, Ports};
use crossfade_domain::comparison::requests::journalled;
use crossfade_domain::fleet::event::{FleetEntry, FleetEvent};
use crossfade_domain::fleet::head::FleetHead;
use crossfade_domain::fleet::service_run::ServiceRun;
use crossfade_domain::gates::checks::slice_seconds;
use crossfade_domain::journal::Head;
use crossfade_domain::journal::request_counts::RequestCounts;
use crossfade_domain::judge::verdict::{ln_fail_needed, ln_pass_needed};
use crossfade_domain::names::{MigrationId, ServiceName};
use crossfade_report::{CountsSource, FleetMigration, FleetReport, Judge, JudgeSaid, MigrationReport, Traffic};

/// Everything about one of a service's migrations; `None` if there is no such migration. The counts are those of its
/// journal; CloudWatch is asked once, where the journal has none, or not all, and for the judge. What CloudWatch does
/// not answer is left out, with the reason.
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
    let kept = journalled(&events);
    let read = if plan.policy.judge || !kept.is_some_and(RequestCounts::is_settled) {
        count_requests(ports, &plan, &events)
            .await
            .map_err(|error| error.chain())
            .and_then(|read| read.map_err(not_read))
    } else {
        Err("the journal has the counts".to_owned())
    };
    let traffic = traffic(kept, &read);
    let judge = if plan.policy.judge { judge(read) } else { Judge::Off };
    let retirements = retirements_of(ports, &head.service, migration).await;
    let doing = || format!("reading the retirements of {}", head.service);
    let retirements = retirements.map_err(|source| ActionError::Ledger { doing: doing(), source })?;
    let (service, migration) = (head.service.clone(), migration.clone());
    let plan = Some(plan);
    Ok(Some(MigrationReport { service, migration, events, plan, traffic, clients: None, judge, retirements }))
}

/// Everything about a fleet's run.
///
/// # Errors
/// The ledger's.
pub(in crate::verbs) async fn fleet(ports: &Ports, head: FleetHead) -> Result<FleetReport, LedgerError> {
    let entries = ports.fleets.fleet_entries(&head.fleet, head.run).await?;
    let mut migrations = Vec::new();
    for migration in moved(&entries) {
        let Some(service) = head.names().find(|name| is_of(&migration, name)) else { continue };
        let events = ports.ledger.events(service, &migration).await?;
        let plan = ports.ledger.plan(service, &migration).await?;
        let slice_seconds = plan.map(|plan| slice_seconds(&plan.policy, u32::MAX));
        migrations.push(FleetMigration { events, slice_seconds });
    }
    migrations.retain(|one| !one.events.is_empty());
    let names: Vec<ServiceName> = head.names().cloned().collect();
    let retirements = ports.ledger.retirements(&names).await?;
    Ok(FleetReport { head, entries, migrations, retirements })
}

/// The migrations that moved in a run, each once, in the order in which they were first seen.
fn moved(entries: &[FleetEntry]) -> Vec<MigrationId> {
    let mut found = Vec::new();
    for event in entries.iter().flat_map(|entry| &entry.events) {
        if let FleetEvent::Service { now: ServiceRun { migration: Some(migration), .. }, .. } = event
            && !found.contains(migration)
        {
            found.push(migration.clone());
        }
    }
    found
}

fn is_of(migration: &MigrationId, service: &ServiceName) -> bool {
    migration.as_str().rsplit_once('-').is_some_and(|(of, _)| of == service.as_str())
}

/// What the journal has, if that is all of it; else what was read; else what the journal has.
fn traffic(kept: Option<&RequestCounts>, read: &Result<CountedMigration, String>) -> Traffic {
    let of_journal =
        |counts: &RequestCounts| Traffic::Counted { counts: counts.clone(), source: CountsSource::Journal };
    match (kept, read) {
        (Some(kept), _) if kept.is_settled() => of_journal(kept),
        (_, Ok(read)) => Traffic::Counted { counts: read.counts.clone(), source: CountsSource::CloudWatch },
        (Some(kept), Err(_)) => of_journal(kept),
        (None, Err(why)) => Traffic::Unknown(why.clone()),
    }
}

fn not_read(why: NotReplayed) -> String {
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

/// What the judge says now, with the migration's own plan.
fn judge(read: Result<CountedMigration, String>) -> Judge {
    match read.and_then(|read| read.replay.map_err(not_read)) {
        Err(why) => Judge::Unknown(why),
        Ok(Replay { judgement, minutes, parameters, .. }) => Judge::Said(JudgeSaid {
            harm_needed: ln_fail_needed(judgement.metrics.len(), parameters.alpha),
            fine_needed: ln_pass_needed(),
            minutes: minutes.into_iter().map(|minute| (minute.start, minute.reading.judgement)).collect(),
            judgement,
        }),
    }
}
