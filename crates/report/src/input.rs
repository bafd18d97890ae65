//! What a page is drawn from.

use crossfade_domain::fleet::event::FleetEntry;
use crossfade_domain::fleet::head::FleetHead;
use crossfade_domain::journal::Event;
use crossfade_domain::names::{MigrationId, ServiceName};
use crossfade_domain::plan::Plan;
use jiff::Timestamp;

/// One migration.
#[derive(Debug, Clone, PartialEq)]
pub struct MigrationReport {
    /// The service.
    pub service: ServiceName,
    /// The migration.
    pub migration: MigrationId,
    /// Its journal, in order.
    pub events: Vec<Event>,
    /// Its plan in force, if it is stored.
    pub plan: Option<Plan>,
    /// Requests of both clusters.
    pub traffic: Traffic,
    /// What clients saw. Only a rehearsal knows it.
    pub clients: Option<Clients>,
    /// What the judge says of the counts; `None` where it was not asked.
    pub judge: Option<JudgeSaid>,
}

/// Requests of both clusters, from CloudWatch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Traffic {
    /// The counts, minute by minute from the first shift on; only the minutes that have settled.
    Counted(Vec<CountedMinute>),
    /// They are not known; the reason, for people.
    Unknown(String),
}

/// The requests of one minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountedMinute {
    /// When it begins.
    pub start: Timestamp,
    /// Requests of the old cluster.
    pub old: u64,
    /// Those that it failed.
    pub old_failed: u64,
    /// Those that it answered slowly.
    pub old_slow: Option<u64>,
    /// Requests of the new cluster.
    pub new: u64,
    /// Those that it failed.
    pub new_failed: u64,
    /// Those that it answered slowly.
    pub new_slow: Option<u64>,
}

/// What clients saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clients {
    /// Requests.
    pub requests: u64,
    /// Answers of the new cluster.
    pub from_new: u64,
    /// Errors (5xx) of the new cluster.
    pub harmed: u64,
    /// Errors (5xx) of the old cluster, of load balancers, and lost requests.
    pub other_errors: u64,
    /// Answers that Crossfade itself spoiled.
    pub spoiled: u64,
    /// Whether an earlier attempt of the service is counted as well.
    pub of_all_attempts: bool,
}

/// What the judge says of a migration.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgeSaid {
    /// Its sentence.
    pub sentence: String,
    /// A row for each metric: its name, the evidence of harm and that it is fine (natural logarithms), and the bad
    /// requests of both clusters, such as `3 of 900`.
    pub metrics: Vec<(String, Option<f64>, f64, String, String)>,
    /// The evidence of harm at which a metric rolls back.
    pub harm_needed: f64,
    /// The evidence at which it passes.
    pub fine_needed: f64,
}

/// One run of a fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetReport {
    /// The run's head.
    pub head: FleetHead,
    /// Its journal, in order.
    pub entries: Vec<FleetEntry>,
}

/// A rehearsal.
#[derive(Debug, Clone, PartialEq)]
pub struct RehearsalReport {
    /// Whether everything ended as expected, and the tool spoiled no response.
    pub ok: bool,
    /// What did not, a line each.
    pub unmet: Vec<String>,
    /// Its fleets.
    pub fleets: Vec<FleetReport>,
    /// The services that have a journal.
    pub services: Vec<MigrationReport>,
    /// The services that have none, each with the reason.
    pub without_journal: Vec<(String, String)>,
}

/// When, where and by what a page was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// When.
    pub at: Timestamp,
    /// By which version of Crossfade.
    pub version: String,
    /// Where: `stack crossfade in eu-west-1`.
    pub place: String,
}
