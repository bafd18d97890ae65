//! The policy as people write it, decoded with every problem at once.
//!
//! YAML is turned into JSON before it comes here. Defaults are merged into each service; what neither gives has these
//! values: schedule `canary`, no alarms, `guardAlarms` none, `minHealthy` 2, `judge` true, no `minBake`,
//! no `newHealthyShare`,
//! `onInconclusive` advance, `onNoTraffic` hold, `onDrift` halt, `oldHealthyShare` 70, `slice` 60s, `maxHold` 4h,
//! `targetsTimeout` 15m, `retire` that of [`crate::policy::retire::Retire`]. A service's field replaces the default as
//! a whole, but hooks and gates are merged one by one, and its windows replace those of the fleet.
//! `{service}` in an alarm's name is the service's name.

mod after;
mod calendars;
mod calling;
mod duration;
mod gates;
mod hook_name;
mod judging;
mod retire;
mod rollout;
mod schedule;
mod schema;
mod settings;
mod size;
mod targets;
mod windows;

pub use duration::{parse as parsed_duration, written as written_duration};
pub use judging::{Judging, judging};
pub(crate) use retire::{UNTIL, waivers};
pub use schedule::{canary, linear};
pub use schema::policy_schema;

use crate::names::{ServiceName, TargetGroupArn};
use crate::policy::problem::{Problem, Problems};
use crate::policy::reader::{Object, Place, Reader};
use crate::policy::rollout::Rollout;
use crate::policy::service_policy::{FleetPolicy, ServicePolicy};
use crate::windows::Windows;
use serde_json::Value;
use settings::{SETTING_FIELDS, Settings};
use std::collections::BTreeMap;

/// Version of decoded policies as they are stored today.
pub const POLICY_VERSION: u32 = 1;

/// The fields of a fleet's policy.
const FLEET_FIELDS: [&str; 6] = ["version", "fleet", "rollout", "windows", "defaults", "services"];
/// The fields that only a service has; the others may be in `defaults` too.
const OWN_FIELDS: [&str; 10] = [
    "name",
    "after",
    "risk",
    "calls",
    "oldTargetGroups",
    "newTargets",
    "windows",
    "internalRoute",
    "directUrl",
    "probes",
];

fn service_fields() -> Vec<&'static str> {
    OWN_FIELDS.into_iter().chain(SETTING_FIELDS).collect()
}

/// Decodes a fleet's policy.
///
/// # Errors
/// Every problem of the document, each with its path.
pub fn decode_fleet(document: &Value) -> Result<FleetPolicy, Problems> {
    let mut reader = Reader::default();
    let fleet = fleet(&mut reader, &Place::root(document));
    reader.finish(fleet)
}

/// Decodes a fleet's policy that someone hands in, and refuses what is known to come to nothing. A policy that was
/// stored before this was refused must stay readable, since all services of a stack are looked for in it.
///
/// # Errors
/// Every problem of the document, each with its path.
pub fn check_fleet(document: &Value) -> Result<FleetPolicy, Problems> {
    let mut reader = Reader::default();
    let fleet = fleet(&mut reader, &Place::root(document));
    rollout::check(&mut reader, document);
    size::check(&mut reader, document, fleet.as_ref());
    for (index, service) in fleet.iter().flat_map(|fleet| &fleet.services).enumerate() {
        for (place, target) in service.new_targets.of_another_family() {
            let message = format!("{:?} is of another address family than ips[0]; {ONE_FAMILY}", target.id);
            reader.note(format!("services[{index}].newTargets.ips[{place}]"), message);
        }
        if let Some(message) = too_few_targets(service) {
            reader.note(format!("services[{index}].newTargets"), message);
        }
    }
    reader.finish(fleet)
}

/// What a policy leaves to chance although it is valid.
pub fn warnings(policy: &FleetPolicy) -> Vec<Problem> {
    let warning = |(index, service): (usize, &ServicePolicy)| {
        let count = service.new_targets.at_the_old_port();
        let message = format!("{}; {WRITE_THE_PORT}", at_the_old_port(count, "the port of the old target group"));
        (count > 0).then(|| Problem { path: format!("services[{index}].newTargets.ips"), message })
    };
    policy.services.iter().enumerate().filter_map(warning).collect()
}

/// Says at which port addresses without one are registered.
pub(crate) fn at_the_old_port(count: usize, port: &str) -> String {
    let have = if count == 1 { "1 address has".to_owned() } else { format!("{count} addresses have") };
    format!("{have} no port and will be registered at {port}")
}

/// What to do about addresses without a port.
pub(crate) const WRITE_THE_PORT: &str = "if they answer at another, write it: \"10.0.0.1:8080\"";

/// Why addresses of both families are refused, and what to do.
pub(crate) const ONE_FAMILY: &str = "a target group takes IPv4 or IPv6 addresses: list those of one family";

/// Why a service would wait for its new targets in vain, and then be rolled back: it lists fewer than must be healthy.
pub fn too_few_targets(policy: &ServicePolicy) -> Option<String> {
    let listed = policy.new_targets.listed()?.len();
    let (targets, are) = if listed == 1 { ("target", "is") } else { ("targets", "are") };
    u32::try_from(listed).is_ok_and(|listed| listed < policy.min_healthy).then(|| {
        format!(
            "{listed} {targets} {are} listed, and minHealthy is {}: list as many, or set minHealthy to {listed}",
            policy.min_healthy
        )
    })
}

/// Decodes the policy of one service without a fleet: there are no defaults, and `after` is not checked.
///
/// # Errors
/// Every problem of the document, each with its path.
pub fn decode_service(document: &Value) -> Result<ServicePolicy, Problems> {
    let mut reader = Reader::default();
    let service = read_service(&mut reader, &Place::root(document));
    reader.finish(service)
}

/// One service's policy somewhere in a document.
pub(crate) fn read_service(reader: &mut Reader, place: &Place<'_>) -> Option<ServicePolicy> {
    let policy = service(reader, place, &Settings::default(), None).1;
    if let Some(policy) = &policy
        && policy.after.contains(&policy.name)
    {
        let path = if place.path.is_empty() { "after".to_owned() } else { format!("{}.after", place.path) };
        reader.note(path, format!("{} cannot come after itself", policy.name));
    }
    policy
}

/// A fleet's policy somewhere in a document.
pub(crate) fn read_fleet(reader: &mut Reader, place: &Place<'_>) -> Option<FleetPolicy> {
    fleet(reader, place)
}

fn fleet(reader: &mut Reader, place: &Place<'_>) -> Option<FleetPolicy> {
    let object = reader.object(place, &FLEET_FIELDS, "a fleet's policy with fleet and services")?;
    let version = object.get("version").is_none_or(|place| is_known(reader, &place));
    let name =
        reader.required(&object, "fleet", "the fleet's name").and_then(|place| reader.text(&place, "the fleet's name"));
    let rollout = object.get("rollout").map_or_else(Rollout::default, |place| rollout::rollout(reader, &place));
    let windows = object.get("windows").and_then(|place| windows::windows(reader, &place));
    let defaults = match object.get("defaults") {
        Some(place) => match reader.object(&place, &SETTING_FIELDS, "an object") {
            Some(defaults) => settings::read(reader, &defaults),
            None => Settings::default(),
        },
        None => Settings::default(),
    };
    let items = reader.required(&object, "services", "a list of services").and_then(|place| {
        let items = reader.list(&place, "a list of services")?;
        if items.is_empty() {
            reader.note(&place.path, "no services: expected at least one");
        }
        Some(items)
    });
    let mut names = Vec::new();
    let mut services = Vec::new();
    for item in items.iter().flatten() {
        let (name, policy) = service(reader, item, &defaults, windows.as_ref());
        names.push((item.path.clone(), name));
        services.push(policy);
    }
    twice(reader, &names);
    one_group_two_services(reader, &names, &services);
    let links: Vec<(Place<'_>, Option<ServiceName>)> =
        items.iter().flatten().zip(&names).map(|(item, (_, name))| (item.clone(), name.clone())).collect();
    after::check(reader, &links);
    calling::check(reader, &links);
    let services: Option<Vec<ServicePolicy>> = services.into_iter().collect();
    if !version {
        return None;
    }
    Some(FleetPolicy {
        version: POLICY_VERSION,
        fleet: name?,
        rollout,
        services: services.filter(|_| items.is_some())?,
    })
}

/// A document without a version is of the first. A later one may mean something that this decoder does not know.
fn is_known(reader: &mut Reader, place: &Place<'_>) -> bool {
    let known = place.value.as_u64() == Some(u64::from(POLICY_VERSION));
    if !known {
        let found = place.value;
        reader.note(
            &place.path,
            format!(
                "{found}: expected {POLICY_VERSION}, the only version there is; a later one needs a newer crossfade"
            ),
        );
    }
    known
}

/// The name is returned even if another field is wrong, because the services are compared with each other.
fn service(
    reader: &mut Reader,
    place: &Place<'_>,
    defaults: &Settings,
    of_fleet: Option<&Windows>,
) -> (Option<ServiceName>, Option<ServicePolicy>) {
    let what = "a service's policy with name, oldTargetGroups and newTargets";
    let Some(object) = reader.object(place, &service_fields(), what) else { return (None, None) };
    let name = reader
        .required(&object, "name", "the service's name")
        .and_then(|place| reader.parsed(&place, "the service's name", ServiceName::parse));
    let after = names(reader, &object, "after");
    let calls = names(reader, &object, "calls");
    let internal_route = object.get("internalRoute").and_then(|place| calling::internal_route(reader, &place));
    let direct_url = object.get("directUrl").and_then(|place| calling::direct_url(reader, &place));
    let probes = object.get("probes").map_or(Some(Vec::new()), |place| calling::probes(reader, &place));
    let risk = object.get("risk").and_then(|place| reader.word(&place, &rollout::RISK));
    let old_target_groups = old_target_groups(reader, &object);
    let new_targets = reader
        .required(&object, "newTargets", "one of binding, instances, ips, autoScalingGroup")
        .and_then(|place| targets::new_targets(reader, &place));
    let own_windows = object.get("windows").map(|place| windows::windows(reader, &place));
    let windows = own_windows.unwrap_or_else(|| of_fleet.cloned());
    let own = settings::read(reader, &object);
    let settings = own.over(defaults);
    settings.check_gates(reader, &object.path_of("gates"));
    let policy = (|| {
        let name = name.clone()?;
        let settings = settings.complete(&name);
        if let Some(windows) = &windows {
            windows::check_bakes(reader, &object.path_of("schedule"), windows, &settings.schedule);
        }
        Some(ServicePolicy {
            after: after?,
            risk: risk.unwrap_or_default(),
            old_target_groups: old_target_groups?,
            outside_vpc: new_targets.as_ref()?.1,
            new_targets: new_targets?.0,
            schedule: settings.schedule,
            alarms: settings.alarms,
            guard_alarms: settings.guard_alarms,
            min_healthy: settings.min_healthy,
            new_healthy_share: settings.new_healthy_share,
            judge: settings.judge.is_some(),
            tolerated: settings.judge.unwrap_or_default(),
            min_bake_seconds: settings.min_bake_seconds,
            on_inconclusive: settings.on_inconclusive,
            on_no_traffic: settings.on_no_traffic,
            on_drift: settings.on_drift,
            allow_managed_by: settings.allow_managed_by,
            old_healthy_share: settings.old_healthy_share,
            slice_seconds: settings.slice_seconds,
            max_hold_seconds: settings.max_hold_seconds,
            targets_timeout_seconds: settings.targets_timeout_seconds,
            hooks: settings.hooks,
            gates: settings.gates,
            windows,
            calls: calls?,
            internal_route,
            base_url_property: settings.base_url_property,
            retire: settings.retire,
            direct_url,
            probes: probes?,
            name,
        })
    })();
    (name, policy)
}

pub(crate) fn names(reader: &mut Reader, object: &Object<'_>, field: &str) -> Option<Vec<ServiceName>> {
    let Some(place) = object.get(field) else { return Some(Vec::new()) };
    let items = if place.value.is_string() { vec![place] } else { reader.list(&place, "a list of services")? };
    let mut names: Vec<ServiceName> = Vec::new();
    for item in &items {
        let Some(name) = reader.parsed(item, "a service's name", ServiceName::parse) else { continue };
        if names.contains(&name) {
            reader.note(&item.path, format!("{name} is in the list already"));
        }
        names.push(name);
    }
    (names.len() == items.len()).then_some(names)
}

fn old_target_groups(reader: &mut Reader, object: &Object<'_>) -> Option<Vec<String>> {
    let what = "the name or ARN of an old target group";
    let place = reader.required(object, "oldTargetGroups", what)?;
    let groups = reader.texts(&place, what)?;
    if groups.is_empty() {
        reader.note(&place.path, "no groups: expected one for each load balancer that the service is on");
        return None;
    }
    Some(groups)
}

fn twice(reader: &mut Reader, names: &[(String, Option<ServiceName>)]) {
    let mut known: BTreeMap<&ServiceName, &str> = BTreeMap::new();
    for (path, name) in names {
        let Some(name) = name else { continue };
        let earlier = known.entry(name).or_insert(path);
        if earlier != path {
            reader.note(format!("{path}.name"), format!("{name} is already {earlier}; a service has one policy"));
        }
    }
}

fn one_group_two_services(
    reader: &mut Reader,
    names: &[(String, Option<ServiceName>)],
    services: &[Option<ServicePolicy>],
) {
    // By name, since a group may be written as a name in one place and as an ARN in another.
    let mut earlier: BTreeMap<String, Vec<(&ServiceName, &String)>> = BTreeMap::new();
    for ((path, _), service) in names.iter().zip(services) {
        let Some(service) = service else { continue };
        for group in &service.old_target_groups {
            let owner = earlier
                .get(&name_of(group))
                .into_iter()
                .flatten()
                .find(|(name, one)| **name != service.name && is_one(one, group));
            if let Some((owner, known)) = owner {
                let known = if *known == group { String::new() } else { format!(" ({known:?})") };
                let message =
                    format!("{group:?} is also an old target group of {owner}{known}; a group moves with one service");
                reader.note(format!("{path}.oldTargetGroups"), message);
            }
        }
        for group in &service.old_target_groups {
            earlier.entry(name_of(group)).or_default().push((&service.name, group));
        }
    }
}

/// The name of a group that is given by name or ARN.
fn name_of(group: &str) -> String {
    TargetGroupArn::parse(group).map_or_else(|_| group.to_owned(), |arn| arn.name().to_owned())
}

/// Whether both are one target group. A name is that of a group in the stack's account and region, where names are
/// unique; a policy can use no group outside them. So a name and an ARN are one group where the ARN has that name.
fn is_one(one: &str, other: &str) -> bool {
    match (TargetGroupArn::parse(one), TargetGroupArn::parse(other)) {
        (Ok(arn), Err(_)) => arn.name() == other,
        (Err(_), Ok(arn)) => arn.name() == one,
        _ => one == other,
    }
}

#[cfg(test)]
mod tests;
