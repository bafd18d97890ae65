//! The fields that a fleet's defaults and a service share.

use super::calling;
use super::duration::{BAKE, HOLD, SLICE, TARGETS, seconds};
use super::gates::{self, Chosen};
use super::hook_name::hook_name;
use super::judging::{Judging, judging};
use super::retire;
use super::schedule::{canary, schedule};
use crate::names::ServiceName;
use crate::policy::gates::Gates;
use crate::policy::reader::{Object, Place, Reader};
use crate::policy::retire::Retire;
use crate::policy::service_policy::{
    GuardAlarms, Hooks, ManagedBy, OnDrift, OnInconclusive, OnNoTraffic, Schedule, Tolerated,
};

/// What holds where neither the service nor the defaults say anything.
pub(super) const MIN_HEALTHY: u32 = 2;
pub(super) const OLD_HEALTHY_SHARE: u8 = 70;
pub(super) const SLICE_SECONDS: u32 = 60;
pub(super) const MAX_HOLD_SECONDS: u32 = 4 * 60 * 60;
pub(super) const TARGETS_TIMEOUT_SECONDS: u32 = 15 * 60;

/// The fields of `defaults`; a service may have each of them too.
pub(super) const SETTING_FIELDS: [&str; 19] = [
    "schedule",
    "alarms",
    "guardAlarms",
    "minHealthy",
    "newHealthyShare",
    "judge",
    "minBake",
    "onInconclusive",
    "onNoTraffic",
    "onDrift",
    "allowManagedBy",
    "oldHealthyShare",
    "slice",
    "maxHold",
    "targetsTimeout",
    "hooks",
    "gates",
    "baseUrlProperty",
    "retire",
];
/// The fields of `hooks`.
pub(super) const HOOK_FIELDS: [&str; 5] =
    ["beforeFirstShift", "afterEachShift", "afterRollback", "beforeRetire", "afterRetire"];
/// The words of `guardAlarms`.
pub(super) const GUARD_ALARMS: [(&str, GuardAlarms); 2] = [("none", GuardAlarms::None), ("auto", GuardAlarms::Auto)];
/// The words of `onInconclusive`.
pub(super) const ON_INCONCLUSIVE: [(&str, OnInconclusive); 3] =
    [("advance", OnInconclusive::Advance), ("hold", OnInconclusive::Hold), ("rollback", OnInconclusive::Rollback)];
/// The words of `onNoTraffic`.
pub(super) const ON_NO_TRAFFIC: [(&str, OnNoTraffic); 2] =
    [("hold", OnNoTraffic::Hold), ("advance", OnNoTraffic::Advance)];
/// The words of `onDrift`.
pub(super) const ON_DRIFT: [(&str, OnDrift); 2] = [("halt", OnDrift::Halt), ("rollback", OnDrift::Rollback)];
/// The words of `allowManagedBy`.
pub(super) const MANAGED_BY: [(&str, ManagedBy); 1] = [("cloudformation", ManagedBy::Cloudformation)];

/// The settings that were given; `None` for one that was not, or was wrong.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    schedule: Option<Schedule>,
    alarms: Option<Vec<String>>,
    guard_alarms: Option<GuardAlarms>,
    min_healthy: Option<u32>,
    new_healthy_share: Option<u16>,
    judge: Option<Judging>,
    min_bake_seconds: Option<u32>,
    on_inconclusive: Option<OnInconclusive>,
    on_no_traffic: Option<OnNoTraffic>,
    on_drift: Option<OnDrift>,
    allow_managed_by: Option<Vec<ManagedBy>>,
    old_healthy_share: Option<u8>,
    slice_seconds: Option<u32>,
    max_hold_seconds: Option<u32>,
    targets_timeout_seconds: Option<u32>,
    hooks: Hooks,
    gates: Chosen,
    base_url_property: Option<String>,
    retire: Option<Retire>,
}

/// Settings with every value filled in.
pub(super) struct Complete {
    pub(super) schedule: Schedule,
    pub(super) alarms: Vec<String>,
    pub(super) guard_alarms: GuardAlarms,
    pub(super) min_healthy: u32,
    pub(super) new_healthy_share: Option<u16>,
    pub(super) judge: Judging,
    pub(super) min_bake_seconds: Option<u32>,
    pub(super) on_inconclusive: OnInconclusive,
    pub(super) on_no_traffic: OnNoTraffic,
    pub(super) on_drift: OnDrift,
    pub(super) allow_managed_by: Vec<ManagedBy>,
    pub(super) old_healthy_share: u8,
    pub(super) slice_seconds: u32,
    pub(super) max_hold_seconds: u32,
    pub(super) targets_timeout_seconds: u32,
    pub(super) hooks: Hooks,
    pub(super) gates: Gates,
    pub(super) base_url_property: Option<String>,
    pub(super) retire: Retire,
}

impl Settings {
    /// These settings where they were given, else the defaults.
    pub(super) fn over(self, defaults: &Self) -> Self {
        let defaults = defaults.clone();
        Self {
            schedule: self.schedule.or(defaults.schedule),
            alarms: self.alarms.or(defaults.alarms),
            guard_alarms: self.guard_alarms.or(defaults.guard_alarms),
            min_healthy: self.min_healthy.or(defaults.min_healthy),
            new_healthy_share: self.new_healthy_share.or(defaults.new_healthy_share),
            judge: self.judge.or(defaults.judge),
            min_bake_seconds: self.min_bake_seconds.or(defaults.min_bake_seconds),
            on_inconclusive: self.on_inconclusive.or(defaults.on_inconclusive),
            on_no_traffic: self.on_no_traffic.or(defaults.on_no_traffic),
            on_drift: self.on_drift.or(defaults.on_drift),
            allow_managed_by: self.allow_managed_by.or(defaults.allow_managed_by),
            old_healthy_share: self.old_healthy_share.or(defaults.old_healthy_share),
            slice_seconds: self.slice_seconds.or(defaults.slice_seconds),
            max_hold_seconds: self.max_hold_seconds.or(defaults.max_hold_seconds),
            targets_timeout_seconds: self.targets_timeout_seconds.or(defaults.targets_timeout_seconds),
            hooks: Hooks {
                before_first_shift: self.hooks.before_first_shift.or(defaults.hooks.before_first_shift),
                after_each_shift: self.hooks.after_each_shift.or(defaults.hooks.after_each_shift),
                after_rollback: self.hooks.after_rollback.or(defaults.hooks.after_rollback),
                before_retire: self.hooks.before_retire.or(defaults.hooks.before_retire),
                after_retire: self.hooks.after_retire.or(defaults.hooks.after_retire),
            },
            gates: gates::over(self.gates, defaults.gates),
            base_url_property: self.base_url_property.or(defaults.base_url_property),
            retire: self.retire.or(defaults.retire),
        }
    }

    /// The settings of a service, with the defaults filled in.
    pub(super) fn complete(self, service: &ServiceName) -> Complete {
        let mut alarms: Vec<String> = Vec::new();
        for alarm in self.alarms.unwrap_or_default() {
            let alarm = alarm.replace("{service}", service.as_str());
            if !alarms.contains(&alarm) {
                alarms.push(alarm);
            }
        }
        Complete {
            schedule: self.schedule.unwrap_or_else(canary),
            alarms,
            guard_alarms: self.guard_alarms.unwrap_or_default(),
            min_healthy: self.min_healthy.unwrap_or(MIN_HEALTHY),
            new_healthy_share: self.new_healthy_share,
            judge: self.judge.unwrap_or_else(|| Some(Tolerated::default())),
            min_bake_seconds: self.min_bake_seconds,
            on_inconclusive: self.on_inconclusive.unwrap_or_default(),
            on_no_traffic: self.on_no_traffic.unwrap_or_default(),
            on_drift: self.on_drift.unwrap_or_default(),
            allow_managed_by: self.allow_managed_by.unwrap_or_default(),
            old_healthy_share: self.old_healthy_share.unwrap_or(OLD_HEALTHY_SHARE),
            slice_seconds: self.slice_seconds.unwrap_or(SLICE_SECONDS),
            max_hold_seconds: self.max_hold_seconds.unwrap_or(MAX_HOLD_SECONDS),
            targets_timeout_seconds: self.targets_timeout_seconds.unwrap_or(TARGETS_TIMEOUT_SECONDS),
            hooks: self.hooks,
            gates: gates::complete(self.gates),
            base_url_property: self.base_url_property,
            retire: self.retire.unwrap_or_default(),
        }
    }
}

/// Reads the settings of `defaults`, or of a service.
pub(super) fn read(reader: &mut Reader, object: &Object<'_>) -> Settings {
    let field = |name: &str| object.get(name);
    Settings {
        schedule: field("schedule").and_then(|place| schedule(reader, &place)),
        alarms: field("alarms").and_then(|place| alarms(reader, &place)),
        guard_alarms: field("guardAlarms").and_then(|place| reader.word(&place, &GUARD_ALARMS)),
        min_healthy: field("minHealthy").and_then(|place| reader.whole(&place, 1, 1000)),
        new_healthy_share: field("newHealthyShare")
            .and_then(|place| reader.whole(&place, 1, 1000))
            .and_then(|share| u16::try_from(share).ok()),
        judge: field("judge").and_then(|place| judging(reader, &place)),
        min_bake_seconds: field("minBake").and_then(|place| seconds(reader, &place, BAKE)),
        on_inconclusive: field("onInconclusive").and_then(|place| reader.word(&place, &ON_INCONCLUSIVE)),
        on_no_traffic: field("onNoTraffic").and_then(|place| reader.word(&place, &ON_NO_TRAFFIC)),
        on_drift: field("onDrift").and_then(|place| reader.word(&place, &ON_DRIFT)),
        allow_managed_by: field("allowManagedBy").and_then(|place| allow_managed_by(reader, &place)),
        old_healthy_share: field("oldHealthyShare")
            .and_then(|place| reader.whole(&place, 1, 100))
            .and_then(|share| u8::try_from(share).ok()),
        slice_seconds: field("slice").and_then(|place| seconds(reader, &place, SLICE)),
        max_hold_seconds: field("maxHold").and_then(|place| seconds(reader, &place, HOLD)),
        targets_timeout_seconds: field("targetsTimeout").and_then(|place| seconds(reader, &place, TARGETS)),
        hooks: field("hooks").map(|place| hooks(reader, &place)).unwrap_or_default(),
        base_url_property: field("baseUrlProperty").and_then(|place| calling::base_url_property(reader, &place)),
        retire: field("retire").map(|place| retire::retire(reader, &place)),
        gates: field("gates").map(|place| gates::gates(reader, &place)).unwrap_or_default(),
    }
}

fn alarms(reader: &mut Reader, place: &Place<'_>) -> Option<Vec<String>> {
    let names = reader.texts(place, "an alarm's name")?;
    for name in &names {
        if name.replace("{service}", "").contains(['{', '}']) {
            reader.note(&place.path, format!("{name:?}: expected no placeholder but {{service}}"));
        }
    }
    Some(names)
}

fn allow_managed_by(reader: &mut Reader, place: &Place<'_>) -> Option<Vec<ManagedBy>> {
    let items = reader.list(place, "a list of owners: cloudformation")?;
    let mut owners = Vec::new();
    for item in &items {
        let owner = reader.word(item, &MANAGED_BY)?;
        if !owners.contains(&owner) {
            owners.push(owner);
        }
    }
    Some(owners)
}

fn hooks(reader: &mut Reader, place: &Place<'_>) -> Hooks {
    let Some(object) = reader.object(place, &HOOK_FIELDS, "an object of hooks") else { return Hooks::default() };
    let mut hook = |field: &str| hook_name(reader, &object.get(field)?);
    Hooks {
        before_first_shift: hook("beforeFirstShift"),
        after_each_shift: hook("afterEachShift"),
        after_rollback: hook("afterRollback"),
        before_retire: hook("beforeRetire"),
        after_retire: hook("afterRetire"),
    }
}

impl Settings {
    /// Checks the gates of a service, which the defaults may have defined.
    pub(super) fn check_gates(&self, reader: &mut Reader, path: &str) {
        gates::check(reader, path, &self.gates);
    }
}
