//! Probes whose requests a command sends, on a machine that reaches the load balancers where the function does not.

use crate::error::{ActionError, ErrorClass};
use crate::migration::ask_probes::{Asked, KNOWN_AFTER, Question, ask_all, through};
use crate::migration::probe_rules::tokens;
use crate::migration::write_journal::record;
use crate::ports::{Ports, ProbeCall};
use crossfade_domain::journal::cursor::LONGEST_REASON;
use crossfade_domain::journal::probe_round::{OfferedRule, ProbeReport, ProbeRound, ReportedAnswer};
use crossfade_domain::journal::{EventKind, Head, Phase};
use crossfade_domain::plan::Plan;
use crossfade_domain::policy::calling::Probe;
use crossfade_domain::probe::{Report, Verdict};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

/// What came of sending the requests of a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// The answers are reported, and the migration goes by them.
    Reported {
        /// Whether the new side answered as the old one does.
        passed: bool,
        /// What was tested, or what failed.
        reason: String,
    },
    /// Another command has reported first, and its report counts.
    Another {
        /// Who sent them there.
        who: String,
    },
    /// The migration no longer waits for this round.
    Over,
    /// No request through these listeners was answered, by either side. Nothing is reported: that says more about this
    /// machine than about the service.
    Unreachable {
        /// Each listener with what came in place of an answer.
        listeners: Vec<String>,
    },
}

/// The round that a migration waits for a report on.
pub fn open_round(head: &Head) -> Option<&ProbeRound> {
    let waits = head.phase == Phase::Moving && !head.commands.abort;
    head.probe_round.as_deref().filter(|round| waits && round.report.is_none())
}

/// Sends the requests of an open round, as the function would, and records what came of them in one write. It counts
/// only while the migration waits for this round under the same generation, and if no other command was faster. The
/// tokens are read from the rules, which must be the same before and after the requests.
///
/// May run again at any time.
///
/// # Errors
/// `Transient` and `Denied` from the load balancer and the table.
pub async fn send_probes(ports: &Ports, head: &Head, plan: &Plan, who: &str) -> Result<Sent, ActionError> {
    let Some(round) = open_round(head) else { return Ok(Sent::Over) };
    // By the clock of this machine, whatever the time of the record says.
    ports.clock.pause(KNOWN_AFTER).await;
    let Some(before) = tokens(ports, round).await? else { return Ok(Sent::Over) };
    let Some(questions) = questions(round, &before, &plan.policy.probes) else { return Ok(Sent::Over) };
    let asked = ask_all(ports, &questions).await;
    if tokens(ports, round).await?.as_ref() != Some(&before) {
        return Ok(Sent::Over);
    }
    let listeners = unreachable(&asked);
    if !listeners.is_empty() {
        return Ok(Sent::Unreachable { listeners });
    }
    report(ports, head, round, report_of(round, asked, who)).await
}

/// None where the plan has no such probe.
fn questions<'a>(round: &ProbeRound, tokens: &'a [String], probes: &'a [Probe]) -> Option<Vec<Question<'a>>> {
    let of_rule = |(rule, token): (&OfferedRule, &'a String)| -> Option<Vec<Question<'a>>> {
        let of_request = |(number, host): (usize, &str)| {
            let probe = probes.get(number)?;
            let to_old = ProbeCall {
                listener: rule.listener.clone(),
                dns_name: rule.dns_name.clone(),
                port: rule.port,
                tls: rule.tls,
                method: probe.method.as_str(),
                host: host.to_owned(),
                path: probe.path.clone(),
                header: None,
            };
            Some(Question { probe, to_old, token, through: through(rule.port, rule.listener.load_balancer()) })
        };
        rule.requests.iter().map(|request| of_request((request.probe, &request.host))).collect()
    };
    let all: Option<Vec<_>> = round.rules.iter().zip(tokens).map(of_rule).collect();
    Some(all?.into_iter().flatten().collect())
}

/// The listeners through which nothing was answered.
fn unreachable(asked: &[Asked]) -> Vec<String> {
    let mut silent: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    for one in asked {
        let why = silent.entry(&one.outcome.through).or_insert(one.unanswered.as_deref());
        *why = why.and(one.unanswered.as_deref());
    }
    silent.into_iter().filter_map(|(through, why)| Some(format!("{through} ({})", why?))).collect()
}

/// In the order of the questions, which is that of the round.
fn report_of(round: &ProbeRound, asked: Vec<Asked>, who: &str) -> ProbeReport {
    let requests = round.rules.iter().flat_map(|rule| rule.requests.iter().map(move |request| (rule, request.probe)));
    let answers = requests.zip(&asked).map(|((rule, probe), one)| ReportedAnswer {
        rule: rule.rule.clone(),
        probe,
        rounds: one.outcome.rounds,
        same: matches!(one.outcome.verdict, Verdict::Same { .. }),
    });
    let answers = answers.collect();
    let reason = Report { outcomes: asked.into_iter().map(|one| one.outcome).collect() }.describe();
    ProbeReport { who: who.to_owned(), answers, reason: reason.chars().take(LONGEST_REASON).collect() }
}

async fn report(ports: &Ports, head: &Head, round: &ProbeRound, report: ProbeReport) -> Result<Sent, ActionError> {
    let mut head = head.clone();
    let number = round.number;
    // Another command of the same person may have seen the same, so the report itself does not tell whose it is.
    let is_ours = AtomicBool::new(false);
    let recorded = record(ports, &mut head, |now| {
        let waits = open_round(now).is_some_and(|open| open.number == number);
        is_ours.store(waits, Ordering::Relaxed);
        waits.then(|| EventKind::ProbesReported { round: number, report: report.clone() })
    });
    match recorded.await {
        Ok(()) => {}
        Err(error) if error.class() == ErrorClass::Superseded => return Ok(Sent::Over),
        Err(error) => return Err(error),
    }
    if is_ours.into_inner() {
        return Ok(Sent::Reported { passed: report.is_alike(), reason: report.reason });
    }
    let known = head.probe_round.filter(|open| open.number == number).and_then(|open| open.report);
    Ok(known.map_or(Sent::Over, |known| Sent::Another { who: known.who }))
}
