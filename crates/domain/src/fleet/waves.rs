//! Which services may move together, and in which order.

use crate::names::ServiceName;
use crate::policy::rollout::Order;
use crate::policy::service_policy::{FleetPolicy, ServicePolicy};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Services that may move at the same time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wave {
    /// 0 for the canary, else from 1.
    pub number: u32,
    /// In the order in which they start.
    pub services: Vec<ServiceName>,
}

/// The waves of a fleet, the canary first.
///
/// A service's level is 1 more than the highest level among the services that it comes after; the canary's is 0. A
/// level is ordered by risk, then by `requests` a day (a service without any counts as one with none), then by name, or
/// as the policy lists it, and divided into waves of at most `waveSize`. The policy has no circles and names no unknown
/// services; where a stored one has, those are left out of the levels that they would belong to.
pub fn waves(policy: &FleetPolicy, requests: &BTreeMap<ServiceName, u64>) -> Vec<Wave> {
    let levels = levels(policy);
    let rollout = &policy.rollout;
    let last = levels.values().copied().max().unwrap_or(0);
    let mut waves = Vec::new();
    for level in 0..=last {
        let mut members: Vec<&ServicePolicy> =
            policy.services.iter().filter(|service| levels.get(&service.name) == Some(&level)).collect();
        if rollout.order == Order::Risk {
            let requests = |service: &ServicePolicy| requests.get(&service.name).copied().unwrap_or(0);
            members.sort_by(|a, b| (a.risk, requests(a), &a.name).cmp(&(b.risk, requests(b), &b.name)));
        }
        let names: Vec<ServiceName> = members.into_iter().map(|service| service.name.clone()).collect();
        let size = if level == 0 { None } else { rollout.wave_size };
        let size = size.and_then(|size| usize::try_from(size).ok()).unwrap_or(names.len()).max(1);
        for services in names.chunks(size) {
            let number = if level == 0 { 0 } else { next_number(&waves) };
            waves.push(Wave { number, services: services.to_vec() });
        }
    }
    waves
}

fn next_number(waves: &[Wave]) -> u32 {
    waves.last().map_or(1, |wave| wave.number + 1)
}

/// The level of each service.
fn levels(policy: &FleetPolicy) -> BTreeMap<ServiceName, u32> {
    let mut levels: BTreeMap<ServiceName, u32> = policy.rollout.canary.iter().map(|name| (name.clone(), 0)).collect();
    levels.retain(|name, _| policy.services.iter().any(|service| service.name == *name));
    // Each round gives at least one service its level, or there is a circle.
    loop {
        let known = levels.len();
        for service in &policy.services {
            if levels.contains_key(&service.name) {
                continue;
            }
            let before: Option<Vec<u32>> = service.after.iter().map(|name| levels.get(name).copied()).collect();
            if let Some(before) = before {
                levels.insert(service.name.clone(), 1 + before.into_iter().max().unwrap_or(0));
            }
        }
        if levels.len() == known {
            return levels;
        }
    }
}
