//! Which waves of a run have to wait for the retirements of earlier ones.

use crate::fleet::forecast::ForecastWave;
use crate::fleet::service_run::Size;
use crate::load_balancer::room::{Added, Room};
use crate::names::{LoadBalancerArn, ServiceName};
use crate::policy::retire::{Evidence, Retire, Until};
use crate::policy::rollout::RetireWhen;
use crate::policy::service_policy::FleetPolicy;
use crate::retirement::{LATE_SECONDS, PROPAGATION_SECONDS};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// What the limits of a load balancer mean for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relief {
    /// It has room for every service with its old side.
    Fits,
    /// A service waits until old sides of services before it have left.
    Waits {
        /// The place of its wave, from 0.
        wave: usize,
        /// When they can have left at the earliest.
        until: Timestamp,
    },
    /// A service waits for ever, unless a person makes room.
    Full {
        /// The place of its wave, from 0.
        wave: usize,
    },
}

/// Follows a load balancer through the waves of a run in which nothing fails. `held` has what the old side of each
/// service takes from it. `migrated` are the services that have migrated before the run, each since when.
pub fn relief(
    policy: &FleetPolicy,
    waves: &[ForecastWave],
    sizes: &BTreeMap<ServiceName, Size>,
    balancer: (&LoadBalancerArn, Room),
    held: &BTreeMap<ServiceName, Added>,
    migrated: &BTreeMap<ServiceName, Timestamp>,
) -> Relief {
    let (balancer, mut room) = balancer;
    let frees = |name: &ServiceName, since: Timestamp| Some((leaves_at(policy, name, since)?, *held.get(name)?));
    // The old sides that are still there, each with when it can leave.
    let mut there: Vec<(Timestamp, Added)> = migrated.iter().filter_map(|(name, since)| frees(name, *since)).collect();
    let mut waits = None;
    for (place, wave) in waves.iter().enumerate() {
        for name in &wave.services {
            let Some(size) = sizes.get(name) else { continue };
            let more = size.on(balancer);
            there.sort_by_key(|(at, _)| *at);
            let mut leaving = there.drain(..);
            while !fits(room, more) {
                let Some((at, old)) = leaving.next() else { return Relief::Full { wave: place } };
                room = room.without(old);
                let until = waits.map_or(at, |(_, until): (usize, Timestamp)| until.max(at));
                if at > wave.begin {
                    waits = Some((waits.map_or(place, |(first, _)| first), until));
                }
            }
            let left: Vec<(Timestamp, Added)> = leaving.collect();
            there = left;
            room = room.with(more);
            there.extend(frees(name, wave.end));
        }
    }
    waits.map_or(Relief::Fits, |(wave, until)| Relief::Waits { wave, until })
}

fn fits(room: Room, more: Added) -> bool {
    room.lacks(more) == Added::default()
}

/// When the old sides of a wave are retired, if nothing fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForecastRetirement {
    /// When the run begins to retire them.
    pub begin: Timestamp,
    /// When the first of them can have left its routes at the earliest: none where the policy ends before that.
    pub leave: Option<Timestamp>,
}

/// The retirements of each wave of a run; none where they are begun by hand.
pub fn forecast_retirements(policy: &FleetPolicy, waves: &[ForecastWave], end: Timestamp) -> Vec<ForecastRetirement> {
    let rollout = &policy.rollout;
    let one = |wave: &ForecastWave| {
        let bake = if wave.number == 0 { rollout.canary_bake_seconds } else { rollout.wave_bake_seconds };
        let begin = match rollout.retire {
            RetireWhen::ByHand => return None,
            RetireWhen::AfterWave => wave.end + SignedDuration::from_secs(i64::from(bake)),
            RetireWhen::AtEnd => end,
        };
        let leave = wave.services.iter().filter_map(|name| leaves_at(policy, name, wave.end)).min();
        Some(ForecastRetirement { begin, leave: leave.map(|leave| leave.max(begin)) })
    };
    waves.iter().filter_map(one).collect()
}

/// When the old side of a service can have left its routes at the earliest, if the run retires it by itself.
fn leaves_at(policy: &FleetPolicy, name: &ServiceName, migrated: Timestamp) -> Option<Timestamp> {
    let terms = &policy.services.iter().find(|service| service.name == *name)?.retire;
    let detaches = policy.rollout.retire != RetireWhen::ByHand && terms.until != Until::Idle;
    detaches.then(|| migrated + SignedDuration::from_secs(kept_for(terms)))
}

/// How long an old side stays at least: `keepOld`, and the idle window with the time until CloudWatch has all of it.
fn kept_for(terms: &Retire) -> i64 {
    let idle = if terms.waived(Evidence::LoadBalancer).is_some() {
        0
    } else {
        i64::from(terms.idle_for_seconds) + i64::from(PROPAGATION_SECONDS) + i64::from(LATE_SECONDS)
    };
    idle.max(i64::from(terms.keep_old_seconds))
}
