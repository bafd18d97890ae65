//! `probe-service`: the new side is tried before a user reaches it.

use crate::error::ActionError;
use crate::migration::Migration;
use crate::migration::ownership::owned;
use crate::migration::probe_rules::{Planned, create_probe_rule, delete_probe_rules, is_still_there, plan_probes};
use crate::ports::{Ports, ProbeCall};
use crossfade_domain::journal::EventKind;
use crossfade_domain::journal::cursor::{Cursor, NextStep};
use crossfade_domain::names::ListenerArn;
use crossfade_domain::probe::{
    Answer, HEADER, Outcome, ProbeRequest, ProbeRule, ROUNDS, Report, Round, compare, is_due,
};
use futures::FutureExt as _;
use futures::future::join_all;
use serde_json::Value;
use std::time::Duration;

/// Until every node of a load balancer has a new rule. A node without it would ask the old side in the new one's place.
const KNOWN_AFTER: Duration = Duration::from_secs(10);
/// For how long the requests may be sent, in real time, so that the rules are deleted before the function's time ends.
const ASKED_WITHIN: Duration = Duration::from_secs(30);

/// Probes the new side: creates the temporary rules, asks the old side and the new one the same, compares the answers,
/// and deletes the rules. They are recorded before they are created. Returns:
///
/// - `ready` where every probe was answered as by the old side, or where no probe is due;
/// - `rollBack` where one was not or could not be compared, where the probes cannot run, or where an operator aborts;
/// - `stop` when another generation has taken over.
///
/// May run again at any time: each run deletes what an earlier one has left and begins anew.
///
/// # Errors
/// `InvalidRequest` for a wrong payload; `Transient` and `Denied` from the table and the load balancer, after the rules
/// were deleted as far as possible. The journal still has them then, so whoever comes next deletes them.
pub async fn probe_service(ports: &Ports, input: &Value) -> Result<Cursor, ActionError> {
    owned(ports, input, |ports, migration, step| probe(ports, migration, step.step).boxed()).await
}

async fn probe(ports: &Ports, migration: &mut Migration, step: u32) -> Result<Cursor, ActionError> {
    let deleted = delete_probe_rules(ports, &migration.head).await;
    if migration.head.commands.abort {
        if let Err(error) = deleted {
            tracing::warn!(error = error.chain(), "the rollback deletes the probe rules");
        }
        return Ok(migration.answer(step, NextStep::RollBack, "aborted by an operator before any traffic"));
    }
    deleted?;
    if !is_due(&migration.plan, &migration.head, step) {
        return Ok(migration.answer(step, NextStep::Ready, "no probe is due"));
    }
    let planned = match plan_probes(ports, &migration.plan, &migration.head.new_groups).await? {
        Ok(planned) => planned,
        Err(reasons) => {
            let reason = format!("probes: they cannot run: {}", reasons.join("; "));
            return Ok(migration.answer(step, NextStep::RollBack, reason));
        }
    };
    let listeners: Vec<ListenerArn> = planned.plan.rules.iter().map(|rule| rule.listener.clone()).collect();
    let begun = migration.record(ports, |now| {
        let known = listeners.iter().all(|listener| now.probing.contains(listener));
        (!known).then(|| EventKind::ProbesBegun { listeners: listeners.clone() })
    });
    begun.await?;
    let asked = ask_all(ports, migration, &planned).await;
    let deleted = delete_probe_rules(ports, &migration.head).await;
    let report = asked?;
    deleted?;
    let left_out = planned.plan.left_out.iter().map(|why| format!(" {why}."));
    let reason: String = std::iter::once(report.describe()).chain(left_out).collect();
    let passed = report.passed();
    let probed = migration.record(ports, |now| {
        (now.probed != passed || !now.probing.is_empty()).then(|| EventKind::Probed { passed, reason: reason.clone() })
    });
    probed.await?;
    let verdict = if passed { NextStep::Ready } else { NextStep::RollBack };
    Ok(migration.answer(step, verdict, format!("probes: {reason}")))
}

/// Creates the rules and asks through them, all paths side by side. The rules must still be there at the end.
async fn ask_all(ports: &Ports, migration: &Migration, planned: &Planned) -> Result<Report, ActionError> {
    let mut created = Vec::new();
    for rule in &planned.plan.rules {
        created.push((&rule.listener, create_probe_rule(ports, &migration.head, rule).await?));
    }
    ports.clock.pause(KNOWN_AFTER).await;
    let until = ports.clock.real() + ASKED_WITHIN;
    let requests = planned.plan.rules.iter().flat_map(|rule| rule.requests.iter().map(move |request| (rule, request)));
    let asked = requests.map(|(rule, request)| async move {
        let dns_name = planned.dns_names.get(&rule.load_balancer).cloned().unwrap_or_default();
        let rounds = ask(ports, rule, request, &dns_name, until).await;
        Outcome {
            method: request.probe.method,
            path: request.probe.path.clone(),
            rounds: rounds.len(),
            through: format!("port {} of {}", rule.port.unwrap_or_default(), rule.load_balancer.name()),
            verdict: compare(&request.probe, &rounds),
        }
    });
    let report = Report { outcomes: join_all(asked).await };
    for (listener, rule) in &created {
        is_still_there(ports, listener, rule).await?;
    }
    Ok(report)
}

/// Asks one path in rounds: the old side, the new one, the old side again. The first that does not answer as expected
/// ends it, since nothing can then pass.
async fn ask(ports: &Ports, rule: &ProbeRule, request: &ProbeRequest, dns_name: &str, until: Duration) -> Vec<Round> {
    let to_old = ProbeCall {
        listener: rule.listener.clone(),
        dns_name: dns_name.to_owned(),
        port: rule.port.unwrap_or_default(),
        tls: rule.protocol == "HTTPS",
        method: request.probe.method.as_str(),
        host: request.host.clone(),
        path: request.probe.path.clone(),
        header: None,
    };
    let to_new = ProbeCall { header: Some((HEADER, rule.token.clone())), ..to_old.clone() };
    let one = async |call: &ProbeCall| {
        if ports.clock.real() > until {
            return Err(format!("all probes together took longer than {} s", ASKED_WITHIN.as_secs()));
        }
        ports.probes.ask(call).await
    };
    let mut rounds = Vec::new();
    while rounds.len() < ROUNDS {
        let (before, new, after) = (one(&to_old).await, one(&to_new).await, one(&to_old).await);
        let expected =
            |answer: &Result<Answer, String>| answer.as_ref().is_ok_and(|answer| answer.status == request.probe.expect);
        let continues = [&before, &new, &after].into_iter().all(expected);
        let round = Round { old: [before, after], new };
        rounds.push(round);
        if !continues {
            break;
        }
    }
    rounds
}
