//! A migration that is judged again.

use super::counts_file::CountsFile;
use super::evidence;
use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::stack::arguments::Output;
use crate::stack::session::Session;
use crate::view::console::Console;
use crossfade_actions::error::ActionError;
use crossfade_actions::operator::replay::{JudgedMinute, Look, NotReplayed, Replay, replay};
use crossfade_actions::ports::PortError;
use crossfade_domain::journal::Head;
use crossfade_domain::judge::Verdict;
use crossfade_domain::names::{MigrationId, ServiceName};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// From the beginning of a minute until the judge looks at it.
const SETTLED: SignedDuration = SignedDuration::from_mins(3);

pub(super) async fn run(
    service: &ServiceName,
    attempt: Option<u32>,
    save: Option<&str>,
    session: &Session,
    console: &mut Console<'_>,
) -> Result<ExitCode, Failure> {
    let head = session.ports.ledger.head(service).await;
    let head = head.map_err(|source| session.ledger_failed(&format!("reading the head of {service}"), source))?;
    let Some(head) = head else {
        return Err(nor_a_file(service, session.unknown_or_never_started(service).await));
    };
    let attempt = attempt.unwrap_or(head.attempt);
    let replayed = replay(&session.ports, &head, attempt).await.map_err(|error| failed(session, &error))?;
    let replay = replayed.map_err(|why| not_replayed(why, &head, attempt))?;
    if let Some(file) = save {
        let text = CountsFile::of(&replay).text();
        std::fs::write(file, text).map_err(|error| Failure::bad_input(format!("cannot write {file}: {error}")))?;
        console.say(&format!("{file} has the counts: `crossfade judge {file}` prints the same verdict"));
    }
    match console.output {
        Output::Json => console.json(&object(&replay))?,
        Output::Human | Output::Github => console.data(text(&replay).trim_end())?,
    }
    Ok(ExitCode::Done)
}

fn nor_a_file(service: &ServiceName, failure: Failure) -> Failure {
    if failure.code != ExitCode::BadInput {
        return failure;
    }
    let message = format!("{}\n  there is no file {service} here either", failure.message);
    Failure { message, ..failure }
}

fn failed(session: &Session, error: &ActionError) -> Failure {
    let failure = session.failed(error);
    Failure { message: failure.message + permission_needed(error), ..failure }
}

fn permission_needed(error: &ActionError) -> &'static str {
    match error {
        ActionError::Port { source: PortError::Denied { operation: "GetMetricData", .. }, .. } => {
            "\n  to judge a migration again you need cloudwatch:GetMetricData, which no other command needs"
        }
        _ => "",
    }
}

fn not_replayed(why: NotReplayed, head: &Head, attempt: u32) -> Failure {
    let service = &head.service;
    let migration = MigrationId::of(service, attempt);
    let history = format!("`crossfade history {service} --attempt {attempt}` prints its journal");
    Failure::bad_input(match why {
        NotReplayed::Unknown => {
            format!("there is no migration {migration}: the latest of {service} is {}", head.migration)
        }
        NotReplayed::NoTraffic => {
            format!("{migration} gave the new cluster no traffic, so there is nothing to judge\n  {history}")
        }
        NotReplayed::TooShort => format!(
            "{migration} went back within a minute of its first traffic, so there is no whole minute to judge\n  \
             {history}"
        ),
        NotReplayed::TooEarly { from } => format!(
            "no minute of {migration} has settled yet: CloudWatch still counts them\n  retry at {}",
            from.strftime("%H:%M UTC")
        ),
        NotReplayed::CountsAreGone { first } => format!(
            "{migration} had its first traffic on {}: CloudWatch keeps the counts of single minutes for 15 days, so it \
             can no longer be judged\n  {history}",
            first.strftime("%Y-%m-%d at %H:%M UTC")
        ),
    })
}

/// What scripts read. Its keys are stable.
fn object(replay: &Replay) -> Value {
    let minute = |minute: &JudgedMinute| {
        json!({
            "start": minute.start, "weight": minute.weight, "new": minute.new, "old": minute.old,
            "verdict": minute.reading.judgement.verdict, "sentence": minute.reading.judgement.sentence,
            "objections": minute.reading.objections,
        })
    };
    let look = |look: &Look| {
        let Look { sequence, at, journal, again, agrees } = look;
        json!({"sequence": sequence, "at": at, "journal": journal, "again": again, "agrees": agrees})
    };
    let mut object = evidence::json(&replay.judgement);
    object["migration"] = json!(replay.migration);
    object["minutes"] = replay.minutes.iter().map(minute).collect();
    object["firstFail"] = json!(first_fail(replay).map(|minute| minute.start));
    object["looks"] = replay.looks.iter().map(look).collect();
    object
}

fn first_fail(replay: &Replay) -> Option<&JudgedMinute> {
    replay.minutes.iter().find(|minute| minute.reading.judgement.verdict == Verdict::Fail)
}

fn text(replay: &Replay) -> String {
    let mut text = format!("{}, judged again with its own plan\n", replay.migration);
    if !replay.plan.policy.judge {
        text.push_str("Its policy switched the judge off: this is what the judge would have said, without slowness.\n");
    }
    let table = table(&replay.minutes);
    let judged = evidence::text(&replay.judgement, &replay.parameters);
    write!(text, "\n{table}\n{judged}").expect("writing to a string succeeds");
    for line in remarks(replay) {
        writeln!(text, "{line}").expect("writing to a string succeeds");
    }
    text + "\n" + &agreement(&replay.looks, replay.plan.policy.judge)
}

/// A line for each minute, with the sentence where it says something new.
fn table(minutes: &[JudgedMinute]) -> String {
    let mut text = String::new();
    let (mut day, mut wording) = (None, None);
    for minute in minutes {
        let date = minute.start.strftime("%Y-%m-%d (UTC)").to_string();
        if day.as_ref() != Some(&date) {
            let [weight, new, old] = ["weight", "new", "old"];
            writeln!(text, "{date}\n  minute{weight:>9}{new:>10}{old:>10}  verdict")
                .expect("writing to a string succeeds");
            day = Some(date);
        }
        let judgement = &minute.reading.judgement;
        let (time, weight) = (minute.start.strftime("%H:%M "), minute.weight.to_string());
        let (new, old, verdict) = (minute.new, minute.old, evidence::word(judgement.verdict));
        write!(text, "  {time}{weight:>9}{new:>10}{old:>10}  {verdict}").expect("writing to a string succeeds");
        // Its counts change in every minute.
        let said = judgement.sentence.replace(|letter: char| !letter.is_alphabetic(), "");
        if wording.as_ref() != Some(&said) {
            write!(text, "  {}", judgement.sentence).expect("writing to a string succeeds");
            wording = Some(said);
        }
        text.push('\n');
    }
    text
}

fn remarks(replay: &Replay) -> Vec<String> {
    let clock = |time: Timestamp| time.strftime("%H:%M");
    let failed = first_fail(replay).map(|minute| {
        let (start, settled) = (clock(minute.start), clock(minute.start + SETTLED));
        format!("The first FAIL is that of minute {start}, which had settled at {settled} UTC.")
    });
    let last = replay.minutes.last().map(|minute| minute.reading.objections.as_slice()).unwrap_or_default();
    let held = last.iter().map(|objection| format!("It would hold at the end of the bake: {objection}."));
    failed.into_iter().chain(held).collect()
}

/// The last line: whether the journal's looks say the same, or those that do not.
fn agreement(looks: &[Look], has_judge: bool) -> String {
    let differing: Vec<&Look> = looks.iter().filter(|look| !look.agrees).collect();
    match (looks.len(), differing.len()) {
        (0, _) if has_judge => "the journal has no look of the judge".to_owned(),
        (0, _) => "the journal has no look of the judge: its policy switched it off".to_owned(),
        (1, 0) => "agrees with the journal at its only look".to_owned(),
        (all, 0) => format!("agrees with the journal at all {all} looks"),
        (all, differ) => {
            let mut text = format!(
                "differs from the journal at {differ} of {all} looks. CloudWatch corrects counts late, so a look may \
                 have had other counts:"
            );
            for look in differing {
                let (at, Look { journal, again, .. }) = (look.at.strftime("%H:%M:%S"), look);
                write!(text, "\n  {at}  the journal: {journal}\n            now: {again}")
                    .expect("writing to a string succeeds");
            }
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_says_that_it_agrees_or_names_the_looks_that_differ_with_both_sentences() {
        let look = |sequence, again: &str| Look {
            sequence,
            at: "2026-11-28T14:06:35Z".parse().unwrap(),
            journal: "too early".to_owned(),
            again: again.to_owned(),
            agrees: again == "too early",
        };
        let agreeing: Vec<Look> = (0..34).map(|sequence| look(sequence, "too early")).collect();
        assert_eq!(agreement(&agreeing, true), "agrees with the journal at all 34 looks");
        assert_eq!(agreement(&agreeing[..1], true), "agrees with the journal at its only look");
        assert_eq!(agreement(&[], true), "the journal has no look of the judge");
        assert!(agreement(&[], false).ends_with(": its policy switched it off"));
        insta::assert_snapshot!(agreement(&[look(1, "too early"), look(2, "suspicious")], true), @r"
        differs from the journal at 1 of 2 looks. CloudWatch corrects counts late, so a look may have had other counts:
          14:06:35  the journal: too early
                    now: suspicious
        ");
    }

    #[test]
    fn who_may_not_read_metrics_reads_which_permission_is_missing() {
        let denied = |operation| ActionError::Port {
            doing: "reading the metrics of users".to_owned(),
            source: PortError::Denied { operation, object: "metrics".to_owned(), detail: "no".to_owned() },
        };
        assert!(permission_needed(&denied("GetMetricData")).contains("you need cloudwatch:GetMetricData"));
        assert_eq!(permission_needed(&denied("DescribeAlarms")), "");
    }
}
