//! What can happen at a call.

use std::fmt;

/// What happens at one call of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum PortFault {
    /// Refused for its rate.
    Throttled,
    /// The role may not do this: no effect.
    Denied,
    /// No effect, no answer.
    FailsBefore,
    /// It takes effect, the answer is lost.
    FailsAfter,
    /// It takes effect twice: a client's own retry after a lost answer.
    Twice,
    /// No answer until the function's time is over; it takes effect five seconds after that.
    Hangs,
    /// The function dies before the call.
    DiesBefore,
    /// The function dies after the call took effect.
    DiesAfter,
    /// The execution that the call is made for is stopped by a person.
    Stopped,
    /// It takes effect, and for a while other calls do not find what it has created.
    KnownLate,
    /// An alarm fires, and its event comes once.
    Alarm,
    /// An alarm fires, and its event comes twice.
    AlarmTwice,
    /// Two alarms fire at once.
    TwoAlarms,
    /// An alarm fires and is quiet again five seconds later; its event is lost.
    AlarmUnheard,
}

pub(in crate::simulation) const FAULTS: [PortFault; 14] = [
    PortFault::Throttled,
    PortFault::Denied,
    PortFault::FailsBefore,
    PortFault::FailsAfter,
    PortFault::Twice,
    PortFault::Hangs,
    PortFault::DiesBefore,
    PortFault::DiesAfter,
    PortFault::KnownLate,
    PortFault::Stopped,
    PortFault::Alarm,
    PortFault::AlarmTwice,
    PortFault::TwoAlarms,
    PortFault::AlarmUnheard,
];

/// The verbs that only read. One that is missing here meets more faults than it needs.
pub(in crate::simulation) const READS: [&str; 45] = [
    "alarm_tags",
    "alarms",
    "alarms_on_groups",
    "all_guarded_groups",
    "all_load_balancers",
    "all_scaling_groups",
    "all_target_groups",
    "attributes",
    "balancer_attributes",
    "calendar",
    "connection",
    "events",
    "firings",
    "fleet",
    "fleet_entries",
    "fleets",
    "groups_of_service",
    "guarded_by",
    "head",
    "heads",
    "health",
    "holders",
    "is_refreshing",
    "limits",
    "listeners",
    "listeners_of",
    "load_balancers",
    "metric_data",
    "open_heads",
    "open_retirements",
    "plan",
    "policies",
    "read_routes",
    "retirement",
    "retirement_events",
    "retirements",
    "revised_plan",
    "routes",
    "rules",
    "scaling_group",
    "sources",
    "status",
    "tags",
    "target_groups",
    "target_groups_of",
];

impl PortFault {
    /// Whether a call of that verb can meet it. A read has no effect that could be lost, repeated or outlive its
    /// function: there, these faults are the same as no fault, or as the one before the call.
    pub(crate) fn can_happen_at(self, verb: &str) -> bool {
        match self {
            Self::FailsAfter | Self::Twice | Self::DiesAfter => !READS.contains(&verb),
            Self::KnownLate => ["create_group", "put_alarm"].contains(&verb),
            // A request of a probe is no call of AWS.
            Self::Throttled | Self::Denied => verb != "ask",
            _ => true,
        }
    }

    /// Whether a migration must end as if it had not happened: AWS or a process had a bad moment, nobody asked for
    /// anything.
    pub(in crate::simulation) fn is_a_bad_moment(self) -> bool {
        !self.is_alarm() && !matches!(self, Self::Stopped | Self::Denied)
    }

    pub(in crate::simulation) fn is_alarm(self) -> bool {
        matches!(self, Self::Alarm | Self::AlarmTwice | Self::TwoAlarms | Self::AlarmUnheard)
    }

    pub(in crate::simulation) fn named(name: &str) -> Option<Self> {
        FAULTS.into_iter().find(|fault| fault.to_string() == name)
    }
}

impl fmt::Display for PortFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
