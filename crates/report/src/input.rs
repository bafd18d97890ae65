//! What a page is drawn from.

use crossfade_domain::fleet::event::FleetEntry;
use crossfade_domain::fleet::head::FleetHead;
use crossfade_domain::journal::Event;
use crossfade_domain::journal::request_counts::RequestCounts;
use crossfade_domain::judge::Judgement;
use crossfade_domain::names::{MigrationId, ServiceName};
use crossfade_domain::plan::Plan;
use crossfade_domain::retirement::{Retirement, RetirementEvent};
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
    /// What the judge says of the counts.
    pub judge: Judge,
    /// The journals of the retirements that took its old side apart, in order.
    pub retirements: Vec<RetirementEvent>,
}

impl MigrationReport {
    /// What clients saw of this migration alone; `None` where an earlier attempt is counted as well.
    pub(crate) fn clients_of_it(&self) -> Option<&Clients> {
        self.clients.as_ref().filter(|clients| !clients.of_all_attempts)
    }
}

/// Requests of both clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Traffic {
    /// They are known.
    Counted {
        /// The counts, from the minute of the first shift on.
        counts: RequestCounts,
        /// Where they are from.
        source: CountsSource,
    },
    /// They are not known; the reason, for people.
    Unknown(String),
}

/// Where counts are from. They were CloudWatch's in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountsSource {
    /// The journal has kept them since the end of the migration.
    Journal,
    /// They were read for this page.
    CloudWatch,
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

/// Whether there is a judge, and what it says.
#[derive(Debug, Clone, PartialEq)]
pub enum Judge {
    /// The policy wants none, or there is no plan that says so.
    Off,
    /// It has nothing to judge by; the reason, for people.
    Unknown(String),
    /// What it says.
    Said(JudgeSaid),
}

/// What the judge says of a migration.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgeSaid {
    /// What it says in the end.
    pub judgement: Judgement,
    /// What it said of all minutes up to each, with the minute's beginning; in the order of time.
    pub minutes: Vec<(Timestamp, Judgement)>,
    /// The evidence of harm (a natural logarithm) at which a metric rolls back.
    pub harm_needed: f64,
    /// The evidence at which it passes.
    pub fine_needed: f64,
}

/// One run of a fleet.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetReport {
    /// The run's head.
    pub head: FleetHead,
    /// Its journal, in order.
    pub entries: Vec<FleetEntry>,
    /// The migrations that moved in it.
    pub migrations: Vec<FleetMigration>,
    /// The retirements of its services, as they stand.
    pub retirements: Vec<Retirement>,
}

/// A migration of a fleet's run.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetMigration {
    /// Its journal, in order.
    pub events: Vec<Event>,
    /// Seconds between two checks of the gates, if its plan is stored.
    pub slice_seconds: Option<u32>,
}

/// A rehearsal.
#[derive(Debug, Clone, PartialEq)]
pub struct RehearsalReport {
    /// Whether everything ended as expected, and the tool spoiled no response.
    pub ok: bool,
    /// What did not, a line each.
    pub unmet: Vec<String>,
    /// Its acts, in order; none where it has none.
    pub acts: Vec<Act>,
    /// Its fleets.
    pub fleets: Vec<FleetReport>,
    /// The services that have a journal.
    pub services: Vec<MigrationReport>,
    /// The services that have none, each with the reason.
    pub without_journal: Vec<(String, String)>,
}

/// One act of a rehearsal that tells a story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// Its word in the scenario.
    pub name: String,
    /// The time from the beginning of the load, such as `01:52:23`.
    pub began: String,
    /// How long it took, such as `25m`.
    pub took: String,
    /// What it did, with its counts.
    pub summary: String,
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
