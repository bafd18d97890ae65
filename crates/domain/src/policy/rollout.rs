//! How a fleet moves: in which order, how many services at once, and when it stops.

use crate::names::ServiceName;
use serde::{Deserialize, Serialize};

/// How a fleet moves. What a policy leaves out has the values of [`Rollout::default`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rollout {
    /// The services of wave 0, which move before all others. They come after no service of another wave.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub canary: Vec<ServiceName>,
    /// How long wave 0 is watched before wave 1 begins, in seconds.
    pub canary_bake_seconds: u32,
    /// The most services of a wave; none where a wave takes a whole level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wave_size: Option<u32>,
    /// How long a wave is watched before the next one begins, in seconds.
    pub wave_bake_seconds: u32,
    /// The most services that move at once.
    pub concurrency: u32,
    /// How long the rollback of everything that moves may take, in seconds. It limits the routes that move at once.
    pub rollback_within_seconds: u32,
    /// How many services may fail; one more stops the fleet.
    pub failures: FailureBudget,
    /// Whether no more services move at once than could fail without exceeding the budget by more than one.
    pub strict: bool,
    /// How many services that roll back within which time stop the fleet, whatever the budget.
    pub stop_when: StopWhen,
    /// Names of the alarms that stop the fleet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<String>,
    /// What happens to the services that move when the fleet stops.
    pub on_stop: OnStop,
    /// In which order the services of a level move.
    pub order: Order,
    /// How much of the fleet's requests the new cluster may get until enough waves are over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_new_share: Option<MaxNewShare>,
    /// When the old sides of services that have migrated are retired.
    #[serde(skip_serializing_if = "RetireWhen::is_default")]
    pub retire: RetireWhen,
}

impl Default for Rollout {
    fn default() -> Self {
        Self {
            canary: Vec::new(),
            canary_bake_seconds: 24 * 3_600,
            wave_size: None,
            wave_bake_seconds: 3_600,
            concurrency: 3,
            rollback_within_seconds: 10,
            failures: FailureBudget::Count(0),
            strict: false,
            stop_when: StopWhen::default(),
            alarms: Vec::new(),
            on_stop: OnStop::Hold,
            order: Order::Risk,
            max_new_share: None,
            retire: RetireWhen::ByHand,
        }
    }
}

impl Rollout {
    /// Whether the policy says nothing about it.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The most routes that may move at once. AWS takes 20 changes of routes at once from an account, and 3 a second
    /// after that; a rollback of everything that moves is over in `rollback_within_seconds`.
    pub fn most_routes(&self) -> u32 {
        WRITES_AT_ONCE.saturating_add(WRITES_A_SECOND.saturating_mul(self.rollback_within_seconds))
    }

    /// The most services of a fleet of `services` that can fail: those that move when the budget is exceeded can still
    /// fail too.
    pub fn most_failures(&self, services: u32) -> u32 {
        let tolerated = self.failures.tolerated(services);
        let beyond = if self.strict { 1 } else { self.concurrency };
        tolerated.saturating_add(beyond).min(services)
    }
}

/// Changes of routes that AWS takes at once from an account in a region.
pub const WRITES_AT_ONCE: u32 = 20;
/// Changes of routes that AWS takes in a second after that.
pub const WRITES_A_SECOND: u32 = 3;

/// How many services of a fleet may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FailureBudget {
    /// So many.
    Count(u32),
    /// So many in a hundred of the fleet's services, rounded down.
    Percent(u8),
}

impl FailureBudget {
    /// How many services of a fleet of `services` may fail.
    pub fn tolerated(self, services: u32) -> u32 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => {
                let tolerated = u64::from(services) * u64::from(percent) / 100;
                u32::try_from(tolerated).unwrap_or(u32::MAX)
            }
        }
    }
}

/// How many services that roll back within which time stop the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StopWhen {
    /// So many rollbacks, at least 2.
    pub rollbacks: u32,
    /// Begun within so many seconds of each other.
    pub within_seconds: u32,
}

impl Default for StopWhen {
    fn default() -> Self {
        Self { rollbacks: 2, within_seconds: 600 }
    }
}

/// What happens to the services that move when the fleet stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnStop {
    /// They stay at their weights, with their gates on.
    #[default]
    Hold,
    /// They go on to their ends.
    Finish,
    /// They are rolled back.
    RollBack,
}

/// When a fleet retires the old sides of its services. Each retirement then waits by itself for what the policy of its
/// service asks for: `keepOld`, `idleFor`, windows and approvals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RetireWhen {
    /// When a wave has been watched, those of its services that have migrated.
    AfterWave,
    /// When all waves are over; earlier only where a load balancer has no room for a service that waits.
    AtEnd,
    /// When a person asks for it.
    #[default]
    ByHand,
}

impl RetireWhen {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// In which order the services of a level move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Order {
    /// By risk, then by requests a day, then by name; the least first.
    #[default]
    Risk,
    /// As the policy lists them.
    Listed,
}

/// How much of the fleet's requests the new cluster may get until enough waves are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MaxNewShare {
    /// The wave after whose bake the limit ends.
    pub until_wave: u32,
    /// The limit in percent of all requests of the fleet.
    pub percent: u8,
}

/// How much harm a failure of a service would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Risk {
    /// Little.
    Low,
    /// As much as that of most services.
    #[default]
    Medium,
    /// Much.
    High,
}

impl Risk {
    /// Whether the policy says nothing about it.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_failures_is_rounded_down() {
        for (percent, services, tolerated) in [(10, 50, 5), (5, 50, 2), (1, 50, 0), (40, 10, 4), (100, 3, 3), (0, 9, 0)]
        {
            assert_eq!(FailureBudget::Percent(percent).tolerated(services), tolerated, "{percent} % of {services}");
        }
        assert_eq!(FailureBudget::Count(7).tolerated(3), 7);
    }

    #[test]
    fn those_that_move_when_the_budget_is_exceeded_can_fail_too() {
        let rollout = Rollout { failures: FailureBudget::Count(1), concurrency: 5, ..Rollout::default() };
        assert_eq!((rollout.most_failures(50), rollout.most_failures(4)), (6, 4));
        assert_eq!(Rollout { strict: true, ..rollout }.most_failures(50), 2);
    }

    #[test]
    fn the_routes_that_move_at_once_can_be_returned_in_time() {
        assert_eq!(Rollout::default().most_routes(), 50);
        assert_eq!(Rollout { rollback_within_seconds: 0, ..Rollout::default() }.most_routes(), 20);
    }
}
