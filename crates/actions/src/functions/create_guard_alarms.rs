//! `create-guard-alarms`: our own alarms on the new target groups, where the policy asks for them.

use crate::error::{ActionError, Doing as _};
use crate::migration::Migration;
use crate::migration::ownership::owned;
use crate::ports::Ports;
use crate::reads::alarms::taken_names;
use crossfade_domain::alarms::guard_alarm::{NewAlarm, definition};
use crossfade_domain::journal::cursor::{Cursor, NextStep};
use crossfade_domain::journal::{EventKind, Phase};
use crossfade_domain::plan::PlannedGuard;
use futures::FutureExt as _;
use serde_json::Value;

/// Creates the guard alarms of the plan, now that the groups that they watch exist, and records them. The index has
/// their names since the locks were taken, so their first event already finds the migration. Returns `proceed`, also
/// where the policy asks for none.
///
/// May run again at any time: it gives an alarm of ours its definition again, and refuses someone else's alarm of the
/// same name.
///
/// # Errors
/// `InvalidRequest` for a wrong payload; `Internal` where someone else's alarm has the name, or before the groups
/// exist; `Transient` and `Denied` from the table and CloudWatch.
pub async fn create_guard_alarms(ports: &Ports, input: &Value) -> Result<Cursor, ActionError> {
    owned(ports, input, |ports, migration, step| create(ports, migration, step.step).boxed()).await
}

async fn create(ports: &Ports, migration: &mut Migration, step: u32) -> Result<Cursor, ActionError> {
    let Migration { head, plan } = &*migration;
    let names = plan.guard_names();
    if names.is_empty() || head.guarded || head.phase != Phase::Planned {
        let reason = if names.is_empty() { "no guard alarms are asked for" } else { "the guard alarms exist" };
        return Ok(migration.answer(step, NextStep::Proceed, reason));
    }
    let foreign = taken_names(ports, &names, &plan.service).await?;
    if !foreign.is_empty() {
        return Err(ActionError::Internal(format!(
            "alarm {} exists and is not ours: expected its tags to name service {}",
            foreign.join(", "),
            plan.service
        )));
    }
    for guard in &plan.guards {
        let alarm = defined(&ports.tagging.stack(), migration, guard)?;
        ports.alarms.put_alarm(&alarm).await.doing(|| format!("creating alarm {}", alarm.name))?;
    }
    let created = migration.record(ports, |now| {
        let due = now.phase == Phase::Planned && !now.guarded;
        due.then(|| EventKind::GuardsCreated { alarms: names.clone() })
    });
    created.await?;
    Ok(migration.answer(step, NextStep::Proceed, format!("created alarms {}", names.join(", "))))
}

fn defined(stack: &str, migration: &Migration, guard: &PlannedGuard) -> Result<NewAlarm, ActionError> {
    let plan = &migration.plan;
    let new = migration.head.new_groups.get(&guard.old);
    match (new, plan.group_of(&guard.old)) {
        (Some(new), Some(group)) => {
            Ok(definition(guard, (stack, &plan.service), &plan.migration, &group.load_balancer, new))
        }
        _ => Err(ActionError::Internal(format!("the copy of {} does not exist yet", guard.old.name()))),
    }
}
