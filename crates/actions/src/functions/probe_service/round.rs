//! A round of probes whose requests a command outside sends: offers its rules, waits for its report and judges it.

use crate::error::ActionError;
use crate::migration::Migration;
use crate::migration::ask_probes::through;
use crate::migration::probe_rules::{Planned, create_probe_rule, delete_probe_rules, tokens};
use crate::ports::Ports;
use crossfade_domain::journal::EventKind;
use crossfade_domain::journal::cursor::{Cursor, NextStep};
use crossfade_domain::journal::probe_round::{
    ANSWERED_WITHIN_SECONDS, OfferedRequest, OfferedRule, ProbeReport, ProbeRound,
};
use crossfade_domain::names::RuleArn;
use crossfade_domain::policy::calling::Probe;
use crossfade_domain::probe::{ProbeRule, ROUNDS};

/// Between two looks for a report. Only a command that waits for it stands still meanwhile.
const LOOK_EVERY_SECONDS: u32 = 5;

/// Creates the rules and records them with what is to be asked. Whoever asks reads the tokens from the rules.
///
/// # Errors
/// Those of the load balancer, after what was created is deleted as far as possible; the ledger's.
pub(super) async fn offer(
    ports: &Ports,
    migration: &mut Migration,
    planned: &Planned,
    step: u32,
) -> Result<Cursor, ActionError> {
    let mut rules = Vec::new();
    for rule in &planned.plan.rules {
        match create_probe_rule(ports, &migration.head, rule).await {
            Ok(created) => rules.push(offered(migration, planned, rule, created)),
            Err(error) => {
                if let Err(left) = delete_probe_rules(ports, &migration.head).await {
                    tracing::warn!(error = left.chain(), "the next attempt deletes the probe rules");
                }
                return Err(error);
            }
        }
    }
    let left_out = &planned.plan.left_out;
    let recorded = migration.record(ports, |now| {
        let known = now.probe_round.as_ref().is_some_and(|open| open.rules == rules);
        (!known).then(|| EventKind::ProbesOffered { rules: rules.clone(), left_out: left_out.clone() })
    });
    recorded.await?;
    Ok(waits(migration, step))
}

fn offered(migration: &Migration, planned: &Planned, rule: &ProbeRule, created: RuleArn) -> OfferedRule {
    let number = |wanted| migration.plan.policy.probes.iter().position(|probe| probe == wanted);
    let requests = rule
        .requests
        .iter()
        .filter_map(|request| Some(OfferedRequest { probe: number(&request.probe)?, host: request.host.clone() }));
    OfferedRule {
        listener: rule.listener.clone(),
        rule: created,
        group: rule.group.clone(),
        dns_name: planned.dns_names.get(&rule.load_balancer).cloned().unwrap_or_default(),
        port: rule.port.unwrap_or_default(),
        tls: rule.protocol == "HTTPS",
        requests: requests.collect(),
    }
}

/// Looks at a round that is open. None where its rules are not as they were created: what was asked through them proves
/// nothing, so that another round begins.
///
/// # Errors
/// Those of the load balancer and of the ledger.
pub(super) async fn look(ports: &Ports, migration: &mut Migration, step: u32) -> Result<Option<Cursor>, ActionError> {
    let Some(round) = migration.head.probe_round.clone() else { return Ok(None) };
    let intact = tokens(ports, &round).await?.is_some();
    match &round.report {
        Some(report) if intact => {
            return ended(ports, migration, step, judged(migration, &round, report)).await.map(Some);
        }
        _ if ports.clock.now() >= round.ends_at() => {
            return ended(ports, migration, step, (false, too_late(migration, &round))).await.map(Some);
        }
        _ => {}
    }
    Ok(intact.then(|| waits(migration, step)))
}

fn waits(migration: &Migration, step: u32) -> Cursor {
    let until = migration.head.probe_round.as_ref().map(|round| round.ends_at().strftime("%H:%M:%S UTC").to_string());
    let reason = format!(
        "waiting until {} for a command that sends the probes: `crossfade wait {} --probe-from-here`, on a machine \
         that reaches the load balancers",
        until.unwrap_or_default(),
        migration.head.service
    );
    migration.answer(step, NextStep::Wait, reason).waiting(LOOK_EVERY_SECONDS)
}

/// Deletes the rules, records the result and answers with it.
async fn ended(
    ports: &Ports,
    migration: &mut Migration,
    step: u32,
    (passed, reason): (bool, String),
) -> Result<Cursor, ActionError> {
    delete_probe_rules(ports, &migration.head).await?;
    migration.record_probed(ports, passed, &reason).await?;
    let verdict = if passed { NextStep::Ready } else { NextStep::RollBack };
    Ok(migration.answer(step, verdict, format!("probes: {reason}")))
}

/// Whether a report says that everything that was offered was asked and answered alike; and in words.
fn judged(migration: &Migration, round: &ProbeRound, report: &ProbeReport) -> (bool, String) {
    let missing = round.missing_in(report, ROUNDS);
    if missing.is_empty() {
        let who = format!("asked by {}", report.who);
        let said = [&report.reason].into_iter().chain(&round.left_out).chain([&who]);
        let said = said.map(|sentence| sentence.trim_end_matches('.')).collect::<Vec<_>>();
        return (report.is_alike(), format!("{}.", said.join("; ")));
    }
    let named = missing.iter().map(|(rule, probe)| {
        let probe = migration.plan.policy.probes.get(*probe).map_or_else(String::new, Probe::describe);
        format!("{probe} through {}", through(rule.port, rule.listener.load_balancer()))
    });
    let reason = format!(
        "the report of {} has not enough answers to {}; update crossfade there and start again",
        report.who,
        named.collect::<Vec<_>>().join(", ")
    );
    (false, reason)
}

fn too_late(migration: &Migration, round: &ProbeRound) -> String {
    let service = &migration.head.service;
    let minutes = ANSWERED_WITHIN_SECONDS / 60;
    let advice = format!(
        "start again with `crossfade start {service} --wait --probe-from-here` on a machine that reaches the load \
         balancers and leave it running, or start without --probe-from-here: a function sends the probes then"
    );
    match &round.report {
        None => {
            format!("no command has sent them and reported within {minutes} minutes, so nothing is proven; {advice}")
        }
        Some(report) => format!(
            "the report of {} proves nothing, because someone deleted or changed a probe rule, and the {minutes} \
             minutes are over; {advice}",
            report.who
        ),
    }
}
