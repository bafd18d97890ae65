//! The judge's evidence over time, next to what it needs.

use crate::chart::TimeAxis;
use crate::chart::steps::{Line, Steps, round_up};
use crate::input::{Judge, JudgeSaid, MigrationReport};
use crate::page::{folded_table, table};
use crate::words::{clock, id};
use crossfade_domain::judge::{Evidence, Judgement, MetricKind, Verdict};
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

/// Of more minutes than this, some are left out of the table.
const MOST_ROWS: usize = 360;
/// More evidence than so many times what is needed is drawn at the upper edge, or the threshold would not be seen.
const MOST_TIMES: f64 = 4.0;
/// A line for each metric: never told apart by its colour alone.
const CLASSES: [&str; 4] = ["new", "old dashed", "plain dotted", "new dashdot"];

pub(crate) fn drawn(report: &MigrationReport) -> Markup {
    match &report.judge {
        Judge::Off => html! { p { "The policy has no judge: nothing compared the new cluster with the old one." } },
        Judge::Unknown(why) => html! {
            p { "The judge's evidence is not here: " (why) "." }
            p class="note" { "What it said at each look is in the journal, and its objections are under Gates." }
        },
        Judge::Said(said) => of_judge(report, said),
    }
}

fn of_judge(report: &MigrationReport, said: &JudgeSaid) -> Markup {
    let row = |(kind, evidence): (&MetricKind, &Evidence)| {
        let [new_bad, new, old_bad, old] = evidence.window;
        vec![
            kind.to_string(),
            harm(evidence),
            format!("{:.2}", evidence.ln_pass),
            format!("{new_bad} of {new}"),
            format!("{old_bad} of {old}"),
        ]
    };
    let rows: Vec<Vec<String>> = said.judgement.metrics.iter().map(row).collect();
    let caption = format!(
        "The judge's evidence (natural logarithms). A metric rolls back at {:.2} of harm, and passes at {:.2} of fine",
        said.harm_needed, said.fine_needed
    );
    html! {
        p { "Judge: " (said.judgement.sentence) "." }
        (table(&caption, &["Metric", "Harm", "Fine", "Bad at new", "Bad at old"], &rows))
        @if said.minutes.len() > 1 { (over_time(report, said)) }
    }
}

fn harm(evidence: &Evidence) -> String {
    evidence.ln_fail.map_or_else(|| "none".to_owned(), |harm| format!("{harm:.2}"))
}

fn over_time(report: &MigrationReport, said: &JudgeSaid) -> Markup {
    let (Some((first, _)), Some((last, _))) = (said.minutes.first(), said.minutes.last()) else { return html! {} };
    let axis = TimeAxis::new(*first, *last + SignedDuration::from_mins(1));
    let chart = |name: &str, caption: &str, threshold: &'static str, needed: f64, of: fn(&Evidence) -> f64, table| {
        let mut lines: Vec<Line> = said
            .judgement
            .metrics
            .keys()
            .zip(CLASSES)
            .map(|(kind, class)| Line { name: kind.name(), class, points: points(said, *kind, of) })
            .collect();
        let values = lines.iter().flat_map(|line| line.points.iter().map(|(_, value)| *value));
        let most = values.fold(needed * 1.25, f64::max).min(MOST_TIMES * needed);
        lines.push(Line { name: threshold, class: "limit", points: vec![(axis.from, needed)] });
        Steps {
            id: id(&[name, report.migration.as_str()]),
            caption,
            description: format!(
                "A line for each metric, and the threshold at {needed:.2}. Evidence below 0 is drawn at 0, and more \
                 than {:.0} at the upper edge. The table has every number.",
                MOST_TIMES * needed
            ),
            axis,
            most: round_up(most),
            unit: "",
            lines,
            marks: &[],
            table,
        }
        .drawn()
    };
    let harm = |evidence: &Evidence| evidence.ln_fail.unwrap_or(0.0);
    html! {
        (chart("harm", "Evidence of harm so far", "rolls back", said.harm_needed, harm, html! {}))
        (chart("fine", "Evidence that the step is fine", "passes", said.fine_needed, |evidence| evidence.ln_pass,
            numbers(said, axis.from)))
    }
}

fn points(said: &JudgeSaid, kind: MetricKind, of: fn(&Evidence) -> f64) -> Vec<(Timestamp, f64)> {
    said.minutes.iter().filter_map(|(at, judgement)| Some((*at, of(judgement.metrics.get(&kind)?)))).collect()
}

fn numbers(said: &JudgeSaid, day: Timestamp) -> Markup {
    let kinds: Vec<MetricKind> = said.judgement.metrics.keys().copied().collect();
    let row = |(at, judgement): &(Timestamp, Judgement)| {
        let evidence = kinds.iter().flat_map(|kind| match judgement.metrics.get(kind) {
            Some(evidence) => [harm(evidence), format!("{:.2}", evidence.ln_pass)],
            None => ["none".to_owned(), "none".to_owned()],
        });
        let said = [word(judgement.verdict).to_owned(), judgement.sentence.clone()];
        std::iter::once(clock(*at, day)).chain(evidence).chain(said).collect()
    };
    let every = said.minutes.len().div_ceil(MOST_ROWS).max(1);
    let is_shown = |index: usize| (said.minutes.len() - 1 - index).is_multiple_of(every);
    let shown = said.minutes.iter().enumerate().filter(|(index, _)| is_shown(*index));
    let rows: Vec<Vec<String>> = shown.map(|(_, minute)| row(minute)).collect();
    let names: Vec<[String; 2]> = kinds.iter().map(|kind| [format!("Harm: {kind}"), format!("Fine: {kind}")]).collect();
    let heading: Vec<&str> = std::iter::once("Minute")
        .chain(names.iter().flatten().map(String::as_str))
        .chain(["Verdict", "In words"])
        .collect();
    folded_table("Both charts as a table", "What the judge made of all minutes up to each", &heading, &rows)
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Fail => "roll back",
        Verdict::Pass => "fine",
        Verdict::Inconclusive => "inconclusive",
    }
}
