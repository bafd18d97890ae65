//! `create-guard-alarms`: our own alarms on the new target groups, where the policy asks for them.

use crate::error::ActionError;
use crate::migration::delete_guard_alarms::tags_of;
use crate::migration::ownership::{Ours, Standing, standing, stopped};
use crate::migration::write_journal::record;
use crate::payload::StepInput;
use crate::ports::Ports;
use crossfade_domain::alarms::guard::{NewAlarm, PlannedGuard, definition, is_our_alarm};
use crossfade_domain::journal::cursor::{Cursor, Verdict};
use crossfade_domain::journal::{Happening, Phase};
use serde_json::Value;

/// Creates the guard alarms of the plan, now that the groups exist that they watch, and records them. The index knows
/// them since the locks were taken, so an alarm's event finds the migration from the first moment. Answers `proceed`,
/// also where the policy asks for none.
///
/// May run again at any time: it gives an alarm of ours its definition again and refuses one of the same name that is
/// somebody else's.
///
/// # Errors
/// `InvalidRequest` for a wrong payload; `Internal` where a foreign alarm has the name, or before the groups exist;
/// `Transient` and `Denied` from the table and CloudWatch.
pub async fn create_guard_alarms(ports: &Ports, input: &Value) -> Result<Cursor, ActionError> {
    let step = StepInput::decode(input)?;
    match standing(ports, &step).await? {
        Standing::Over(answer) => Ok(*answer),
        Standing::Ours(ours) => match create(ports, &ours, step.step).await {
            Ok(answer) => Ok(answer),
            Err(error) => stopped(ports, &step, error).await,
        },
    }
}

async fn create(ports: &Ports, ours: &Ours, step: u32) -> Result<Cursor, ActionError> {
    let Ours { head, plan } = ours;
    let names = plan.guard_names();
    if names.is_empty() || head.guarded || head.phase != Phase::Planned {
        let reason = if names.is_empty() { "no guard alarms are asked for" } else { "the guard alarms exist" };
        return Ok(ours.answer(step, Verdict::Proceed, 0, reason));
    }
    let foreign: Vec<String> = tags_of(ports, &names)
        .await?
        .into_iter()
        .filter(|(_, tags)| !is_our_alarm(tags, &plan.service))
        .map(|(name, _)| name)
        .collect();
    if !foreign.is_empty() {
        return Err(ActionError::Internal(format!(
            "alarm {} exists and is not ours: expected its tags to name service {}",
            foreign.join(", "),
            plan.service
        )));
    }
    for guard in &plan.guards {
        let alarm = defined(&ports.load_balancers.stack(), ours, guard)?;
        let put = ports.alarms.put_alarm(&alarm).await;
        put.map_err(|source| ActionError::Port { doing: format!("creating alarm {}", alarm.name), source })?;
    }
    record(ports, head, |now| {
        let due = now.phase == Phase::Planned && !now.guarded;
        due.then(|| Happening::GuardsCreated { alarms: names.clone() })
    })
    .await?;
    Ok(ours.answer(step, Verdict::Proceed, 0, format!("created alarms {}", names.join(", "))))
}

fn defined(stack: &str, ours: &Ours, guard: &PlannedGuard) -> Result<NewAlarm, ActionError> {
    let plan = &ours.plan;
    let new = ours.head.new_groups.get(&guard.old);
    match (new, plan.group_of(&guard.old)) {
        (Some(new), Some(group)) => {
            Ok(definition(guard, (stack, &plan.service), &plan.migration, &group.load_balancer, new))
        }
        _ => Err(ActionError::Internal(format!("the copy of {} does not exist yet", guard.old.name()))),
    }
}
