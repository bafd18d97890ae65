//! Judges a migration again: its own plan, the counts that CloudWatch has now, and the same code as a check of its
//! gates. It changes nothing.

use crate::error::{ActionError, Doing as _};
use crate::ports::Ports;
use crate::reads::comparison::Comparison;
use crate::reads::journal::{events_of, plan_of};
use crossfade_domain::comparison::Window;
use crossfade_domain::gates::checks::seconds_between;
use crossfade_domain::gates::judge::{JudgeReading, Moment, judge_opinion};
use crossfade_domain::journal::cursor::NextStep;
use crossfade_domain::journal::{Event, EventKind, Head};
use crossfade_domain::judge::{Judgement, MetricKind, MetricSeries, Parameters, Series};
use crossfade_domain::load_balancer::metric_query::DataPoints;
use crossfade_domain::names::{MigrationId, TargetGroupArn};
use crossfade_domain::opinion::Vote;
use crossfade_domain::plan::Plan;
use crossfade_domain::weight::Weight;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// How long CloudWatch still changes the counts of a minute much.
const SETTLING: SignedDuration = SignedDuration::from_mins(2);

/// How long before its line in the journal a check may have read the counts: its reads take 30 s at most, and the table
/// a few more.
const LONGEST_CHECK: SignedDuration = SignedDuration::from_secs(40);

/// More minutes than this are not judged one by one: each looks at all minutes before it.
const MOST_MINUTES: usize = 1_500;

/// How a gate's reason begins in the journal, if it is the judge's.
const QUOTE: &str = "judge: ";

/// A migration, judged again.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    /// The migration.
    pub migration: MigrationId,
    /// Its plan.
    pub plan: Plan,
    /// The judge's settings.
    pub parameters: Parameters,
    /// The counts, from the first shift to the last minute that is judged.
    pub series: Series,
    /// What the judge says of them.
    pub judgement: Judgement,
    /// What it would have decided, minute by minute; of a long migration, every few minutes.
    pub minutes: Vec<JudgedMinute>,
    /// Every look of the journal that the judge took part in.
    pub looks: Vec<Look>,
}

/// What the judge would have decided once a minute had settled.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgedMinute {
    /// When the minute begins.
    pub start: Timestamp,
    /// The new cluster's share.
    pub weight: Weight,
    /// Requests of the new cluster.
    pub new: u64,
    /// Requests of the old cluster.
    pub old: u64,
    /// The judgement on all minutes since the first shift up to this one.
    pub reading: JudgeReading,
}

/// A look of the gates that is in the journal, and the same look judged again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The number of the event.
    pub sequence: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// What the journal says of the judge.
    pub journal: String,
    /// What the judge says now.
    pub again: String,
    /// Whether the two are the same.
    pub agrees: bool,
}

/// Why a migration cannot be judged again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotReplayed {
    /// There is no such migration.
    Unknown,
    /// The new cluster never had traffic.
    NoTraffic,
    /// It went back within the minute of its first traffic.
    TooShort,
    /// No minute since the first shift has settled.
    TooEarly {
        /// When the first one has.
        from: Timestamp,
    },
    /// CloudWatch no longer has the counts of single minutes.
    CountsAreGone {
        /// The minute of the first shift.
        first: Timestamp,
    },
}

/// Judges a migration of a service again. `attempt` counts the service's migrations from 1.
///
/// # Errors
/// The ledger's and the metrics'. An incomplete answer of CloudWatch is an error.
pub async fn replay(ports: &Ports, head: &Head, attempt: u32) -> Result<Result<Replay, NotReplayed>, ActionError> {
    let migration = MigrationId::of(&head.service, attempt);
    let events = events_of(ports, &head.service, &migration).await?;
    if events.is_empty() {
        return Ok(Err(NotReplayed::Unknown));
    }
    let whole = match window_of(&events, ports.clock.now()) {
        Ok(whole) => whole,
        Err(why) => return Ok(Err(why)),
    };
    let plan = plan_of_attempt(ports, head, &migration).await?;
    let comparison = Comparison::of(&plan, &new_groups(&events), &events)?;
    let counts = comparison.counts(ports, &whole).await?;
    Ok(Ok(judged_again(&comparison, &plan, &events, &whole, &counts)))
}

/// The minutes that are judged: the judge says nothing about a minute before it has settled, nor about the way back.
pub(super) fn window_of(events: &[Event], now: Timestamp) -> Result<Window, NotReplayed> {
    let settled = end_of(events).map(|end| end + SETTLING);
    let whole = Window::of(events, settled.unwrap_or(now).min(now)).ok_or(NotReplayed::NoTraffic)?;
    let first = whole.first;
    if Window::of(events, now).is_some_and(|window| window.has_outlived_its_data()) {
        return Err(NotReplayed::CountsAreGone { first });
    }
    if whole.until <= first {
        let from = first + MINUTE + SETTLING;
        let is_over = settled.is_some_and(|settled| settled < from);
        return Err(if is_over { NotReplayed::TooShort } else { NotReplayed::TooEarly { from } });
    }
    Ok(whole)
}

/// The same from counts that were read, of which those after the window are ignored.
pub(super) fn judged_again(
    comparison: &Comparison<'_>,
    plan: &Plan,
    events: &[Event],
    whole: &Window,
    counts: &[DataPoints],
) -> Replay {
    let counts = counts_until(counts, whole.until);
    let series = comparison.series(whole, counts.clone());
    let minutes = judged_minutes(comparison, events, &counts, &series, whole);
    let looks = if plan.policy.judge { looks(comparison, plan, events, &counts) } else { Vec::new() };
    let judgement = minutes.last().expect("there is a minute before the end").reading.judgement.clone();
    let (migration, plan) = (plan.migration.clone(), plan.clone());
    Replay { migration, plan, parameters: comparison.parameters, series, judgement, minutes, looks }
}

/// When the way up ended, if it has: the migration arrived, a rollback began, or it halted and was not resumed.
fn end_of(events: &[Event]) -> Option<Timestamp> {
    let over = |event: &&Event| matches!(event.kind, EventKind::RollbackBegun { .. } | EventKind::Finished { .. });
    let rests = |event: &&Event| matches!(event.kind, EventKind::Halted { .. } | EventKind::Resumed { .. });
    let halted = events.iter().rev().find(rests).filter(|event| matches!(event.kind, EventKind::Halted { .. }));
    events.iter().find(over).or(halted).map(|event| event.at)
}

/// The plan of a migration: the one in force of the latest, and the first one of an earlier migration.
///
/// # Errors
/// The ledger's; `Internal` if there is none.
pub async fn plan_of_attempt(ports: &Ports, head: &Head, migration: &MigrationId) -> Result<Plan, ActionError> {
    if head.migration == *migration {
        return plan_of(ports, head).await;
    }
    let plan = ports.ledger.plan(&head.service, migration).await;
    plan.doing(|| format!("reading the plan of {migration}"))?
        .ok_or_else(|| ActionError::Internal(format!("{migration} has a journal and no plan")))
}

/// The new group of each old one, by a journal; empty before they were created.
pub(super) fn new_groups(events: &[Event]) -> BTreeMap<TargetGroupArn, TargetGroupArn> {
    let created = events.iter().rev().find_map(|event| match &event.kind {
        EventKind::GroupsCreated { groups } => Some(groups.clone()),
        _ => None,
    });
    created.unwrap_or_default()
}

/// What CloudWatch would have answered for an earlier window.
fn counts_until(counts: &[DataPoints], until: Timestamp) -> Vec<DataPoints> {
    counts.iter().map(|points| points[..points.partition_point(|(start, _)| *start < until)].to_vec()).collect()
}

fn events_before(events: &[Event], time: Timestamp) -> &[Event] {
    &events[..events.partition_point(|event| event.at < time)]
}

fn judged_minutes(
    comparison: &Comparison<'_>,
    events: &[Event],
    counts: &[DataPoints],
    series: &Series,
    whole: &Window,
) -> Vec<JudgedMinute> {
    let requests = series.metrics.get(&MetricKind::Errors).map(MetricSeries::sum).unwrap_or_default();
    let starts = std::iter::successors(Some(whole.first), |start| Some(*start + MINUTE));
    let judged = requests.iter().zip(starts).enumerate();
    judged
        .filter(|(index, _)| is_shown(*index, requests.len()))
        .filter_map(|(_, (minute, start))| {
            let end = start + MINUTE;
            let events = events_before(events, end);
            let window = Window::of(events, end + SETTLING)?;
            let weight = events.iter().rev().find_map(weight_of).unwrap_or(Weight::ZERO);
            let reading = comparison.reading(&window, weight, counts_until(counts, window.until));
            Some(JudgedMinute { start, weight, new: minute.new, old: minute.old, reading })
        })
        .collect()
}

/// Whether a minute is judged one by one. Counted from the end, so that the last one is.
fn is_shown(index: usize, minutes: usize) -> bool {
    (minutes - 1 - index).is_multiple_of(minutes.div_ceil(MOST_MINUTES))
}

fn weight_of(event: &Event) -> Option<Weight> {
    match event.kind {
        EventKind::ShiftIntended { weight, .. } | EventKind::Shifted { weight, .. } => Some(weight),
        _ => None,
    }
}

fn looks(comparison: &Comparison<'_>, plan: &Plan, events: &[Event], counts: &[DataPoints]) -> Vec<Look> {
    let judged = events.iter().enumerate().filter_map(|(index, event)| match &event.kind {
        EventKind::Judged { verdict, reason } => Some((&events[..index], event, *verdict, reason)),
        _ => None,
    });
    judged
        .filter_map(|(before, event, verdict, reason)| {
            let step = Step::of(plan, before)?;
            let journal = quoted(verdict, reason)?;
            let again = |read: Timestamp, decided: Timestamp| {
                let window = Window::of(before, read)?;
                let reading = comparison.reading(&window, step.weight, counts_until(counts, window.until));
                let elapsed_seconds = seconds_between(step.since, decided);
                let moment = Moment { weight: step.weight, elapsed_seconds, bake_seconds: step.bake_seconds };
                let policy = &plan.policy;
                let opinion = judge_opinion(&Ok(reading), moment, policy.on_inconclusive, policy.on_no_traffic);
                Some((opinion.vote, opinion.reason))
            };
            // The check began earlier than its line was written, perhaps in another minute.
            let earlier = event.at - LONGEST_CHECK;
            let said = again(event.at, event.at)?;
            let agrees = journal.agrees(&said)
                || [(earlier, event.at), (earlier, earlier)]
                    .into_iter()
                    .filter_map(|(read, decided)| again(read, decided))
                    .any(|said| journal.agrees(&said));
            let (sequence, at, journal) = (event.sequence, event.at, journal.text());
            Some(Look { sequence, at, journal, again: said.1, agrees })
        })
        .collect()
}

/// The step that is baking at a look.
struct Step {
    weight: Weight,
    bake_seconds: u32,
    since: Timestamp,
}

impl Step {
    /// `None` before the first traffic.
    fn of(plan: &Plan, events: &[Event]) -> Option<Self> {
        let step = events.iter().rev().find_map(|event| match event.kind {
            EventKind::Shifted { step, .. } => Some(step),
            _ => None,
        })?;
        // A step bakes anew once the migration is resumed.
        let begins = |event: &&Event| matches!(event.kind, EventKind::Shifted { .. } | EventKind::Resumed { .. });
        let since = events.iter().rev().find(begins)?.at;
        let step = plan.step(step)?;
        Some(Self { weight: step.weight, bake_seconds: step.bake_seconds, since })
    }
}

/// What a line of the journal says of the judge.
enum Quoted<'a> {
    /// Its sentence.
    Sentence { of_a_rollback: bool, sentence: &'a str },
    /// Another gate rolled back, and the judge did not.
    OthersRolledBack,
}

/// `None` where the judge was not asked, or could not read the counts.
fn quoted(verdict: NextStep, reason: &str) -> Option<Quoted<'_>> {
    let of_a_rollback = verdict == NextStep::RollBack;
    // The judge's opinion is the last.
    let Some(at) = reason.rfind(QUOTE) else { return of_a_rollback.then_some(Quoted::OthersRolledBack) };
    let sentence = &reason[at + QUOTE.len()..];
    // Where nothing objects, the opinions are in parentheses.
    let open = |text: &str| text.matches('(').count() < text.matches(')').count();
    let sentence = if open(sentence) { sentence.strip_suffix(')').unwrap_or(sentence) } else { sentence };
    (!sentence.starts_with("could not be read")).then_some(Quoted::Sentence { of_a_rollback, sentence })
}

impl Quoted<'_> {
    fn agrees(&self, (vote, reason): &(Vote, String)) -> bool {
        match self {
            Self::Sentence { of_a_rollback, sentence } => {
                reason == sentence && (*vote == Vote::RollBack) == *of_a_rollback
            }
            Self::OthersRolledBack => *vote != Vote::RollBack,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Sentence { sentence, .. } => (*sentence).to_owned(),
            Self::OthersRolledBack => "another gate rolled back, and the judge did not".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_migration_has_a_line_every_few_minutes_and_always_its_last() {
        for minutes in [1, 2, 1_499, 1_500, 1_501, 21_600] {
            let shown: Vec<usize> = (0..minutes).filter(|index| is_shown(*index, minutes)).collect();
            assert_eq!(shown.last(), Some(&(minutes - 1)));
            assert!(shown.len() <= MOST_MINUTES && 2 * shown.len() > minutes.min(MOST_MINUTES), "{}", shown.len());
            assert!(minutes > MOST_MINUTES || shown.len() == minutes);
        }
    }

    #[test]
    fn the_judge_is_quoted_without_what_is_around_it() {
        #[track_caller]
        fn check(verdict: NextStep, reason: &str, expected: Option<&str>) {
            assert_eq!(quoted(verdict, reason).map(|quoted| quoted.text()).as_deref(), expected, "{reason}");
        }
        let fine = "new cluster fails 0.1 % of requests (1 of 900), old 0.0 % (0 of 900)";
        check(NextStep::RollBack, &format!("alarms: users-5xx fires; judge: {fine}"), Some(fine));
        check(NextStep::Advance, &format!("baked 10m at 5 %, on to 50 % (judge: {fine})"), Some(fine));
        check(NextStep::Bake, "baking at 5 % (operator: a word; judge: too early)", Some("too early"));
        check(NextStep::Hold, "judge: could not be read: GetMetricData was throttled", None);
        check(NextStep::Hold, "health: 0 of 2 targets healthy", None);
        let others = Some("another gate rolled back, and the judge did not");
        check(NextStep::RollBack, "alarms: users-5xx fires", others);
    }

    #[test]
    fn a_look_agrees_only_if_the_sentence_and_the_decision_are_the_same() {
        let said = |vote, reason: &str| (vote, reason.to_owned());
        let advanced = quoted(NextStep::Advance, "baked 10m at 5 % (judge: fine)").unwrap();
        assert!(advanced.agrees(&said(Vote::GoOn, "fine")));
        assert!(!advanced.agrees(&said(Vote::GoOn, "too early")) && !advanced.agrees(&said(Vote::RollBack, "fine")));
        let others = quoted(NextStep::RollBack, "alarms: users-5xx fires").unwrap();
        assert!(others.agrees(&said(Vote::Hold, "any")) && !others.agrees(&said(Vote::RollBack, "any")));
    }
}
