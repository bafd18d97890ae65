//! The verdict in one sentence, and the figures that people ask for first.

use super::traffic::counted_by;
use crate::input::{MigrationReport, Traffic};
use crate::page::facts;
use crate::words::{count, counted, number, sentence, span, time};
use crossfade_domain::journal::wording::begun_by;
use crossfade_domain::journal::{Event, EventKind, Trigger};
use crossfade_domain::weight::Weight;
use jiff::Timestamp;
use maud::{Markup, html};

/// How a migration ended, or that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All traffic is on the new cluster.
    Migrated,
    /// A gate, or a failure, rolled it back.
    RolledBack,
    /// A person rolled it back.
    Aborted,
    /// It stopped; a person decides.
    Halted,
    /// It did not begin.
    Refused,
    /// It is under way.
    UnderWay,
}

impl Outcome {
    /// In a word or two.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Migrated => "migrated",
            Self::RolledBack => "rolled back",
            Self::Aborted => "aborted",
            Self::Halted => "halted",
            Self::Refused => "refused",
            Self::UnderWay => "under way",
        }
    }

    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Migrated => "verdict good",
            Self::RolledBack | Self::Halted => "verdict bad",
            Self::Aborted | Self::Refused => "verdict warn",
            Self::UnderWay => "verdict",
        }
    }
}

/// What came of a migration.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// How it ended.
    pub outcome: Outcome,
    /// All of it in one sentence.
    pub sentence: String,
    /// Why it ended so, as the journal says it.
    pub cause: Option<String>,
    /// Requests that the new cluster failed; `None` where no one has counted them.
    pub harmed: Option<u64>,
    /// Whether there may be more of them: CloudWatch was still counting.
    pub may_be_more: bool,
    /// Of so many that it was given.
    pub given: Option<u64>,
    /// Who counted, or why no one did.
    pub harmed_by: String,
    /// Seconds from the cause of the rollback until every route was read back.
    pub seconds_to_safe: Option<f64>,
    /// When the last event was recorded.
    pub last: Option<Timestamp>,
    /// The greatest weight that was read back.
    pub highest: Weight,
}

impl Verdict {
    /// From journal and counts.
    pub fn of(report: &MigrationReport) -> Self {
        let events = &report.events;
        let (outcome, cause) = outcome(events);
        let (harmed, given, harmed_by) = harm(report);
        let may_be_more = report.clients_of_it().is_none()
            && matches!(&report.traffic, Traffic::Counted { counts, .. } if !counts.is_settled());
        let seconds_to_safe = seconds_to_safe(events);
        let mut verdict = Self {
            outcome,
            sentence: String::new(),
            cause,
            harmed,
            may_be_more: harmed.is_some() && may_be_more,
            given,
            harmed_by,
            seconds_to_safe,
            last: last(events).map(|event| event.at),
            highest: events.iter().filter_map(verified).max().unwrap_or(Weight::ZERO),
        };
        verdict.sentence = verdict.said(report);
        verdict
    }

    /// `3`, or `at least 3`.
    fn at_least(&self, harmed: u64) -> String {
        if self.may_be_more { format!("at least {}", count(harmed)) } else { count(harmed) }
    }

    fn said(&self, report: &MigrationReport) -> String {
        let name = &report.migration;
        let took = report.events.first().zip(self.last).map_or_else(String::new, |(first, last)| span(first.at, last));
        let harm = match (self.harmed, self.given) {
            (Some(harmed), Some(given)) => {
                format!("the new cluster failed {} of {}", self.at_least(harmed), counted(given, "request"))
            }
            _ if self.highest == Weight::ZERO => "no request went to the new cluster".to_owned(),
            _ => "how many requests it harmed is not known".to_owned(),
        };
        let safe = match self.seconds_to_safe {
            Some(seconds) => format!(", and every route was read back {} s after the cause", number(seconds)),
            None => String::new(),
        };
        match self.outcome {
            Outcome::Migrated => {
                format!("{name} migrated in {took}: every route was read back at 100 %, and {harm}.")
            }
            Outcome::RolledBack | Outcome::Aborted => {
                let word = self.outcome.in_words();
                format!("{name} was {word} from {} after {took}: {harm}{safe}.", self.highest)
            }
            Outcome::Halted => {
                format!("{name} halted at {} after {took} and waits for a decision: {harm}.", live(&report.events))
            }
            Outcome::Refused => format!("{name} was refused: no route was changed, and no request was harmed."),
            Outcome::UnderWay => {
                format!("{name} is under way at {}, begun {took} before its last event: {harm}.", live(&report.events))
            }
        }
    }
}

/// The weight that an event says was read back on every route.
pub(crate) fn verified(event: &Event) -> Option<Weight> {
    match event.kind {
        EventKind::Shifted { weight, .. } => Some(weight),
        EventKind::RoutesReturned { .. } | EventKind::RollbackVerified { .. } => Some(Weight::ZERO),
        _ => None,
    }
}

/// The last event before the requests were counted, which is no part of the migration.
pub(crate) fn last(events: &[Event]) -> Option<&Event> {
    events.iter().rfind(|event| !event.kind.is_about_requests())
}

/// The weight that was read back last.
pub(crate) fn live(events: &[Event]) -> Weight {
    events.iter().rev().find_map(verified).unwrap_or(Weight::ZERO)
}

/// How a journal ends, and why.
pub(crate) fn outcome(events: &[Event]) -> (Outcome, Option<String>) {
    let asked =
        events.iter().any(|event| matches!(&event.kind, EventKind::Commanded { commands, .. } if commands.abort));
    let rollback = events.iter().rev().find_map(|event| match &event.kind {
        EventKind::RollbackBegun { trigger, cause, .. } => Some((*trigger, cause)),
        _ => None,
    });
    let by_a_person = asked || rollback.is_some_and(|(trigger, _)| trigger.is_a_persons());
    let because = |(trigger, cause): (Trigger, &String)| format!("{}: {cause}", begun_by(trigger));
    let end = events.iter().rev().find_map(|event| match &event.kind {
        EventKind::Finished { .. } => Some((Outcome::Migrated, None)),
        EventKind::RollbackVerified { .. } if by_a_person => Some((Outcome::Aborted, rollback.map(because))),
        EventKind::RollbackVerified { .. } => Some((Outcome::RolledBack, rollback.map(because))),
        EventKind::Halted { reason } => Some((Outcome::Halted, Some(reason.clone()))),
        EventKind::Refused { reason } if by_a_person => Some((Outcome::Aborted, Some(reason.clone()))),
        EventKind::Refused { reason } => Some((Outcome::Refused, Some(reason.clone()))),
        EventKind::RollbackBegun { trigger, cause, .. } => Some((Outcome::UnderWay, Some(because((*trigger, cause))))),
        EventKind::Resumed { .. } => Some((Outcome::UnderWay, None)),
        _ => None,
    });
    end.unwrap_or((Outcome::UnderWay, None))
}

/// From the cause of the last rollback until every route was first read back.
fn seconds_to_safe(events: &[Event]) -> Option<f64> {
    let begun = events.iter().rposition(|event| matches!(event.kind, EventKind::RollbackBegun { .. }))?;
    let EventKind::RollbackBegun { caused_at, .. } = events[begun].kind else { return None };
    let back = events[begun..].iter().find(|event| matches!(event.kind, EventKind::RoutesReturned { .. }))?;
    Some(back.at.duration_since(caused_at).as_secs_f64().max(0.0))
}

/// Requests that were harmed, of how many, and who says so. What clients saw is exact; what CloudWatch counted is not.
fn harm(report: &MigrationReport) -> (Option<u64>, Option<u64>, String) {
    match (report.clients_of_it(), &report.traffic) {
        (Some(clients), _) => {
            let by = "as its clients saw it until the rehearsal ended".to_owned();
            (Some(clients.harmed), Some(clients.from_new), by)
        }
        (None, Traffic::Counted { counts, .. }) if counts.spans.is_empty() => {
            (None, None, "CloudWatch has no minute of it that has settled".to_owned())
        }
        (None, Traffic::Counted { counts, source }) => {
            let (_, new) = counts.sums();
            (Some(new.failed()), Some(new.requests), counted_by(counts, *source))
        }
        (None, Traffic::Unknown(why)) => (None, None, why.clone()),
    }
}

/// The section without a heading: it comes first.
pub(crate) fn drawn(report: &MigrationReport) -> Markup {
    let verdict = Verdict::of(report);
    let unknown = || "not known".to_owned();
    let mut shown = vec![
        ("Outcome", sentence(verdict.outcome.in_words())),
        ("Requests harmed", verdict.harmed.map_or_else(unknown, |harmed| verdict.at_least(harmed))),
        ("Requests of the new cluster", verdict.given.map_or_else(unknown, count)),
        ("Highest weight", verdict.highest.to_string()),
    ];
    if let Some(seconds) = verdict.seconds_to_safe {
        shown.insert(2, ("Seconds to safe", number(seconds)));
    }
    if let Some((first, last)) = report.events.first().zip(verdict.last) {
        shown.push(("From first to last event", span(first.at, last)));
        shown.push(("Began", time(first.at)));
        shown.push(("Last event", time(last)));
    }
    html! {
        p class=(verdict.outcome.class()) {
            b { (sentence(verdict.outcome.in_words())) }
            (verdict.sentence)
        }
        @if let Some(cause) = &verdict.cause { p { "Why: " (cause) } }
        (facts(&shown))
        p class="note" {
            "Requests harmed are those that the new cluster failed with 5xx or did not answer: " (verdict.harmed_by) "."
        }
    }
}
