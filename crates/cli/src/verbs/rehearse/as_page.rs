//! The report of a rehearsal as one HTML page.

use super::live::clock_text;
use crate::ending::failure::Failure;
use crate::verbs::report::{read, write};
use crate::view::parts::age::age;
use crossfade_actions::ports::Ports;
use crossfade_domain::names::{MigrationId, ServiceName};
use crossfade_rehearsal::report::{ActReport, Report, ServiceReport};
use crossfade_report::{Act, Clients, RehearsalReport, Written, rehearsal_page};
use std::path::Path;

/// Reads journals, plans and counts from the rehearsal's AWS, as `crossfade report` does, and writes the page.
///
/// # Errors
/// Something cannot be read, or the file cannot be written.
pub(super) async fn write(report: &Report, ports: &Ports, file: &Path) -> Result<(), Failure> {
    let mut page = RehearsalReport {
        ok: report.ok,
        unmet: unmet(report),
        acts: report.acts.iter().map(act).collect(),
        fleets: Vec::new(),
        services: Vec::new(),
        without_journal: Vec::new(),
    };
    for head in ports.fleets.fleets().await.map_err(|error| Failure::of(&error))? {
        page.fleets.push(read::fleet(ports, head).await.map_err(|error| Failure::of(&error))?);
    }
    let names: Vec<ServiceName> =
        report.services.iter().filter_map(|one| ServiceName::parse(&one.service).ok()).collect();
    let heads = ports.ledger.heads(&names).await.map_err(|error| Failure::of(&error))?;
    for service in &report.services {
        let head = heads.iter().find(|head| head.service.as_str() == service.service);
        let migration = match head {
            Some(head) => read::migration(ports, head, &head.migration).await,
            None => Ok(None),
        };
        match migration.map_err(|error| Failure::of(&error))? {
            Some(migration) => {
                let clients = Some(clients(service, migration.migration != MigrationId::of(&migration.service, 1)));
                page.services.push(crossfade_report::MigrationReport { clients, ..migration });
            }
            None => page.without_journal.push((service.service.clone(), why(service))),
        }
    }
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let written = Written { at: ports.clock.now(), version, place: "in a rehearsal, in its own time".to_owned() };
    write::page(file, &rehearsal_page(&page, &written))
}

fn act(act: &ActReport) -> Act {
    Act {
        name: act.act.to_owned(),
        began: clock_text(act.began_seconds),
        took: age(whole_seconds(act.world_seconds)),
        summary: act.summary.clone(),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts saturate; times are above 0")]
fn whole_seconds(seconds: f64) -> u32 {
    seconds.round() as u32
}

/// What clients outside saw, in all attempts.
fn clients(service: &ServiceReport, of_all_attempts: bool) -> Clients {
    let errors: u64 =
        service.by_status.iter().filter(|(status, _)| **status == 0 || **status >= 500).map(|(_, n)| n).sum();
    let requests = &service.requests;
    Clients {
        requests: requests.sent + requests.drawn,
        from_new: service.served_by_new,
        harmed: requests.harmed,
        other_errors: errors.saturating_sub(requests.harmed),
        spoiled: requests.all_spoiled(),
        of_all_attempts,
    }
}

fn why(service: &ServiceReport) -> String {
    let reason = if service.reason.is_empty() { String::new() } else { format!(": {}", service.reason) };
    format!("{}{reason}", service.outcome.name())
}

/// Everything that is not as expected.
fn unmet(report: &Report) -> Vec<String> {
    let acts =
        report.acts.iter().flat_map(|one| one.unmet.iter().map(move |unmet| format!("act {}: {unmet}", one.act)));
    let services =
        report.services.iter().flat_map(|one| one.unmet.iter().map(move |unmet| format!("{} {unmet}", one.service)));
    let fleets =
        report.fleets.iter().flat_map(|one| one.unmet.iter().map(move |unmet| format!("fleet {} {unmet}", one.fleet)));
    let retired = report
        .retirements
        .iter()
        .flat_map(|one| one.unmet.iter().map(move |unmet| format!("retirement of {} {unmet}", one.service)));
    acts.chain(services).chain(fleets).chain(retired).chain(report.without_effect.iter().cloned()).collect()
}
