//! `check-targets`: whether the new groups have enough healthy targets.

use crate::error::ActionError;
use crate::migration::Migration;
use crate::migration::ownership::owned;
use crate::ports::Ports;
use crate::reads::health::{health, new_group};
use crossfade_domain::gates::health::{HEALTHY_READS, new_group_verdict};
use crossfade_domain::gates::readiness::is_much_smaller;
use crossfade_domain::journal::EventKind;
use crossfade_domain::journal::cursor::{Cursor, NextStep};
use futures::FutureExt as _;
use serde_json::Value;

/// The shortest and the longest wait between two checks, in seconds. In between, it is the health check's interval.
const WAIT_SECONDS: (u32, u32) = (5, 60);

/// Reads the health of every new group. Returns `ready` at step 1 once each had the policy's `minHealthy` in a few
/// checks in a row, `wait` until then, and `rollBack` after the policy's `targetsTimeout`.
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
    let (healthy, seen) = look(ports, migration).await?;
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
    let waited = migration.head.waiting_since.map_or(0, |since| ports.clock.now().duration_since(since).as_secs());
    if !healthy && waited > i64::from(limit) {
        let reason = format!("new targets were not healthy within {limit} s: {seen}");
        return Ok(migration.answer(step, NextStep::RollBack, reason));
    }
    Ok(migration.answer(step, NextStep::Wait, seen).waiting(wait(migration)))
}

async fn look(ports: &Ports, migration: &Migration) -> Result<(bool, String), ActionError> {
    let Migration { head, plan } = migration;
    let mut all = true;
    let mut seen = Vec::new();
    for group in &plan.groups {
        let new = new_group(head, group)?;
        let verdict = new_group_verdict(plan, group, &health(ports, new).await?);
        all &= verdict.enough;
        let mut reason = format!("{}: {}", new.name(), verdict.reason);
        if verdict.enough && is_much_smaller(group.old_healthy, verdict.healthy) {
            reason = format!("{reason}, fewer than half of the {} of {}", group.old_healthy, group.old.name());
        }
        seen.push(reason);
    }
    Ok((all, seen.join("; ")))
}

fn wait(migration: &Migration) -> u32 {
    let interval =
        migration.plan.groups.iter().map(|group| group.settings.health_check.interval_seconds).min().unwrap_or(0);
    u32::try_from(interval).unwrap_or(0).clamp(WAIT_SECONDS.0, WAIT_SECONDS.1)
}
