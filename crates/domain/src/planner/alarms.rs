//! The alarms that are to guard the migration.

use super::code;
use super::findings::Findings;
use crate::alarms::alarm::AlarmState;
use crate::planner::inventory::Inventory;
use crate::policy::service_policy::{GuardAlarms, ServicePolicy};

pub(super) fn check(policy: &ServicePolicy, inventory: &Inventory, findings: &mut Findings) {
    if policy.alarms.is_empty() && policy.guard_alarms == GuardAlarms::None {
        findings.warn(
            code::NO_ALARMS,
            policy.name.as_str(),
            "no alarm guards this migration, so that only health, drift and the judge can stop it, once a minute; name \
             some under alarms, or write guardAlarms: auto to have alarms on the new target group created for the \
             migration",
        );
    }
    for name in &policy.alarms {
        let Some(alarm) = inventory.alarms.iter().find(|alarm| alarm.name == *name) else {
            findings.refuse(
                code::ALARM_MISSING,
                name,
                "no alarm of this name exists in this account and region, so that it would never fire; create it, or \
                 correct alarms",
            );
            continue;
        };
        if !alarm.actions_enabled {
            findings.warn(
                code::ALARM_ACTIONS_DISABLED,
                name,
                "the alarm's own actions are disabled: it stops the migration all the same, but tells nobody else; \
                 enable them",
            );
        }
        match alarm.state {
            AlarmState::Ok => {}
            AlarmState::Alarm => findings.refuse(
                code::ALARM_FIRING,
                name,
                format!(
                    "the alarm has been firing since {}: {}; a migration starts when all its alarms are quiet",
                    alarm.since, alarm.reason
                ),
            ),
            AlarmState::InsufficientData => findings.warn(
                code::ALARM_WITHOUT_DATA,
                name,
                "the alarm has no data and could not say whether something is wrong; check its metric and its \
                 dimensions",
            ),
        }
    }
}
