//! The alarms that are to guard the migration.

use super::findings::Findings;
use crate::alarms::alarm::AlarmState;
use crate::alarms::quiet::{AlarmsRead, Objection, objections};
use crate::plan::FindingCode;
use crate::planner::inventory::Inventory;
use crate::policy::service_policy::{GuardAlarms, ServicePolicy};
use jiff::Timestamp;

pub(super) fn check(policy: &ServicePolicy, inventory: &Inventory, findings: &mut Findings) {
    if policy.alarms.is_empty() && policy.guard_alarms == GuardAlarms::None {
        findings.warn(
            FindingCode::NoAlarms,
            policy.name.as_str(),
            "no alarm guards this migration, so that only health, drift and the judge can stop it, once a minute; name \
             some under alarms, or write guardAlarms: auto to have alarms on the new target group created for the \
             migration",
        );
    }
    // Nothing counts yet but what the alarms say now.
    let read = AlarmsRead { found: inventory.alarms.clone(), firings: Vec::new() };
    for objection in objections(&policy.alarms, &read, Timestamp::MAX) {
        match &objection {
            Objection::Missing { name } => findings.refuse(
                FindingCode::AlarmMissing,
                name,
                "no alarm of this name exists in this account and region, so it would never fire; create it, or \
                 correct alarms",
            ),
            Objection::Firing { name, .. } | Objection::Fired { name, .. } => findings.refuse(
                FindingCode::AlarmFiring,
                name,
                format!("{objection}; a migration starts when all its alarms are quiet"),
            ),
        }
    }
    for alarm in inventory.alarms.iter().filter(|alarm| policy.alarms.contains(&alarm.name)) {
        if !alarm.actions_enabled {
            findings.warn(
                FindingCode::AlarmActionsDisabled,
                alarm.name.as_str(),
                "the alarm's own actions are disabled: it stops the migration all the same, but tells nobody else; \
                 enable them",
            );
        }
        if alarm.state == AlarmState::InsufficientData {
            findings.warn(
                FindingCode::AlarmWithoutData,
                alarm.name.as_str(),
                "the alarm has no data and could not say whether something is wrong; check its metric and its \
                 dimensions",
            );
        }
    }
}
