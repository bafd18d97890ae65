//! `check-targets`: whether the new groups have enough healthy targets.

use crate::error::{ActionError, Doing as _};
use crate::migration::Migration;
use crate::migration::ownership::owned;
use crate::ports::Ports;
use crate::reads::health::{health, new_group};
use crate::routes::read;
use crossfade_domain::gates::checks::seconds_between;
use crossfade_domain::gates::health::{HEALTHY_READS, is_in_no_route, new_group_verdict, targets_wait_seconds};
use crossfade_domain::gates::readiness::is_much_smaller;
use crossfade_domain::journal::EventKind;
use crossfade_domain::journal::cursor::{Cursor, NextStep};
use crossfade_domain::load_balancer::scaling_group::SourceState;
use futures::FutureExt as _;
use serde_json::Value;

/// Reads the health of every new group, and whether an Auto Scaling group has registered all its instances there, where
/// one does. Returns `ready` at step 1 once each had the policy's `minHealthy` in a few
/// checks in a row, `wait` until then, and `rollBack` after the policy's `targetsTimeout`. If someone else took a new
/// group out of every route, it does what the policy asks for at drift.
///
/// May run again at any time; each run is one check.
///
/// # Errors
/// `InvalidRequest` for a wrong payload; `Transient` and `Denied` from the table and the load balancer.
pub async fn check_targets(ports: &Ports, input: &Value) -> Result<Cursor, ActionError> {
    owned(ports, input, |ports, migration, step| check(ports, migration, step.step).boxed()).await
}

async fn check(ports: &Ports, migration: &mut Migration, step: u32) -> Result<Cursor, ActionError> {
    if migration.head.commands.abort {
        return Ok(migration.answer(step, NextStep::RollBack, "aborted by an operator before any traffic"));
    }
    let Look { healthy, in_no_route, seen } = look(ports, migration).await?;
    if in_no_route {
        // Attached, so someone else must have taken it out: its targets are not probed and never become healthy.
        let (_, drift) = read::drift(ports, &migration.plan, &migration.head).await?;
        if let Some(first) = drift.first() {
            return migration.halt_or_return(ports, step, &first.to_string()).await;
        }
    }
    let checked = migration.record(ports, |now| {
        // A repeated call finds ready what was ready once. Waiting is recorded whenever it begins.
        let news = if healthy {
            now.healthy_reads < HEALTHY_READS
        } else {
            now.healthy_reads > 0 || now.waiting_since.is_none()
        };
        news.then(|| EventKind::TargetsChecked { healthy, reason: seen.clone() })
    });
    checked.await?;
    if migration.head.healthy_reads >= HEALTHY_READS {
        return Ok(migration.answer(step.max(1), NextStep::Ready, seen));
    }
    let limit = migration.plan.policy.targets_timeout_seconds;
    let waited = migration.head.waiting_since.map_or(0, |since| seconds_between(since, ports.clock.now()));
    if !healthy && waited > limit {
        let reason = format!("new targets were not healthy within {limit} s: {seen}");
        return Ok(migration.answer(step, NextStep::RollBack, reason));
    }
    // Targets that are healthy now only have to stay so for a few checks.
    let wait = targets_wait_seconds(interval_seconds(migration), if healthy { 0 } else { waited });
    Ok(migration.answer(step, NextStep::Wait, seen).waiting(wait))
}

/// What one check has seen.
struct Look {
    /// Whether every new group has enough healthy targets.
    healthy: bool,
    /// Whether some new group is in no route.
    in_no_route: bool,
    /// In words.
    seen: String,
}

async fn look(ports: &Ports, migration: &Migration) -> Result<Look, ActionError> {
    let Migration { head, plan } = migration;
    let mut all = true;
    let mut in_no_route = false;
    let mut seen = Vec::new();
    for group in &plan.groups {
        let new = new_group(head, group)?;
        let registered = health(ports, new).await?;
        let verdict = new_group_verdict(plan, group, &registered);
        in_no_route |= is_in_no_route(&registered);
        all &= verdict.enough;
        let mut reason = format!("{}: {}", new.name(), verdict.reason);
        if verdict.enough && is_much_smaller(group.old_healthy, verdict.healthy) {
            reason = format!("{reason}, fewer than half of the {} of {}", group.old_healthy, group.old.name());
        }
        seen.push(reason);
    }
    if let Some(name) = plan.policy.new_targets.scaling_group() {
        let sources = ports.auto_scaling.sources(name).await;
        let sources = sources.doing(|| format!("reading the target groups of Auto Scaling group {name}"))?;
        for group in &plan.groups {
            let new = new_group(head, group)?;
            let state = sources.iter().find(|source| source.group == *new).map(|source| source.state);
            all &= state.is_some_and(SourceState::is_registered);
            let state = state.map_or_else(|| "not attached".to_owned(), |state| state.to_string());
            seen.push(format!("{} is {state} at Auto Scaling group {name}", new.name()));
        }
    }
    Ok(Look { healthy: all, in_no_route, seen: seen.join("; ") })
}

fn interval_seconds(migration: &Migration) -> u32 {
    let intervals = migration.plan.groups.iter().map(|group| group.settings.health_check.interval_seconds);
    u32::try_from(intervals.min().unwrap_or(0)).unwrap_or(0)
}
