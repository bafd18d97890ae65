//! `probe-service`: the new side is tried before a user reaches it.

mod round;

use crate::error::ActionError;
use crate::migration::Migration;
use crate::migration::ask_probes::{KNOWN_AFTER, Question, ask_all, through};
use crate::migration::ownership::owned;
use crate::migration::probe_rules::{Planned, create_probe_rule, delete_probe_rules, is_still_there, plan_probes};
use crate::ports::{Ports, ProbeCall};
use crossfade_domain::journal::EventKind;
use crossfade_domain::journal::cursor::{Cursor, NextStep};
use crossfade_domain::names::ListenerArn;
use crossfade_domain::policy::calling::ProbeFrom;
use crossfade_domain::probe::{ProbeRequest, ProbeRule, Report, is_due};
use futures::FutureExt as _;
use serde_json::Value;

/// Probes the new side: creates the temporary rules, asks the old side and the new one the same, compares the answers,
/// and deletes the rules. They are recorded before they are created. Where a command outside sends the requests, it
/// offers the rules only, and judges the command's report in a later run. Returns:
///
/// - `ready` where every probe was answered as by the old side, or where no probe is due;
/// - `wait` while a command outside has not reported, for at most ten minutes;
/// - `rollBack` where one was not or could not be compared, where the probes cannot run, where no command has reported
///   in time, or where an operator aborts;
/// - `stop` when another generation has taken over.
///
/// May run again at any time: each run deletes what an earlier one has left and begins anew, except rules that are
/// offered and that a command may be asking through.
///
/// # Errors
/// `InvalidRequest` for a wrong payload; `Transient` and `Denied` from the table and the load balancer, after the rules
/// were deleted as far as possible. The journal still has them then, so whoever comes next deletes them.
pub async fn probe_service(ports: &Ports, input: &Value) -> Result<Cursor, ActionError> {
    owned(ports, input, |ports, migration, step| probe(ports, migration, step.step).boxed()).await
}

async fn probe(ports: &Ports, migration: &mut Migration, step: u32) -> Result<Cursor, ActionError> {
    let due = is_due(&migration.plan, &migration.head, step);
    if due
        && !migration.head.commands.abort
        && let Some(answer) = round::look(ports, migration, step).await?
    {
        return Ok(answer);
    }
    let deleted = delete_probe_rules(ports, &migration.head).await;
    if migration.head.commands.abort {
        if let Err(error) = deleted {
            tracing::warn!(error = error.chain(), "the rollback deletes the probe rules");
        }
        return Ok(migration.answer(step, NextStep::RollBack, "aborted by an operator before any traffic"));
    }
    deleted?;
    if !due {
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
    if migration.plan.probe_from == ProbeFrom::Caller {
        return round::offer(ports, migration, &planned, step).await;
    }
    let asked = ask_through_rules(ports, migration, &planned).await;
    let deleted = delete_probe_rules(ports, &migration.head).await;
    let report = asked?;
    deleted?;
    let left_out = planned.plan.left_out.iter().map(|why| format!(" {why}."));
    let reason: String = std::iter::once(report.describe()).chain(left_out).collect();
    let passed = report.passed();
    migration.record_probed(ports, passed, &reason).await?;
    let verdict = if passed { NextStep::Ready } else { NextStep::RollBack };
    Ok(migration.answer(step, verdict, format!("probes: {reason}")))
}

/// Creates the rules and asks through them. The rules must still be there at the end.
async fn ask_through_rules(ports: &Ports, migration: &Migration, planned: &Planned) -> Result<Report, ActionError> {
    let mut created = Vec::new();
    for rule in &planned.plan.rules {
        created.push((&rule.listener, create_probe_rule(ports, &migration.head, rule).await?));
    }
    ports.clock.pause(KNOWN_AFTER).await;
    let of_rules = planned.plan.rules.iter().flat_map(|rule| {
        let dns_name = planned.dns_names.get(&rule.load_balancer).cloned().unwrap_or_default();
        rule.requests.iter().map(move |request| question(rule, request, dns_name.clone()))
    });
    let asked = ask_all(ports, &of_rules.collect::<Vec<_>>()).await;
    let report = Report { outcomes: asked.into_iter().map(|one| one.outcome).collect() };
    for (listener, rule) in &created {
        is_still_there(ports, listener, rule).await?;
    }
    Ok(report)
}

fn question<'a>(rule: &'a ProbeRule, request: &'a ProbeRequest, dns_name: String) -> Question<'a> {
    let port = rule.port.unwrap_or_default();
    Question {
        probe: &request.probe,
        to_old: ProbeCall {
            listener: rule.listener.clone(),
            dns_name,
            port,
            tls: rule.protocol == "HTTPS",
            method: request.probe.method.as_str(),
            host: request.host.clone(),
            path: request.probe.path.clone(),
            header: None,
        },
        token: &rule.token,
        through: through(port, rule.load_balancer.name()),
    }
}
