//! One line of the journal, and what can happen to a migration.

use super::commands::Commands;
use super::cursor::NextStep;
use super::hook::HookPoint;
use super::probe_round::{OfferedRule, ProbeReport};
use super::request_counts::RequestCounts;
use super::rollback::Trigger;
use crate::load_balancer::route::RouteId;
use crate::names::{ListenerArn, LoadBalancerArn, MigrationId, TargetGroupArn};
use crate::opinion::Vote;
use crate::routing::drift::Drift;
use crate::weight::Weight;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Version of this format.
    pub version: u32,
    /// 1, 2, 3, ... within a migration.
    pub sequence: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// The migration.
    pub migration: MigrationId,
    /// The generation it was recorded under.
    pub generation: u64,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What was listed to find every route that sends traffic to the old side. None of it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoutesListed {
    /// The load balancers of the old groups.
    pub load_balancers: Vec<LoadBalancerArn>,
    /// How many listeners they have.
    pub listeners: u32,
    /// How many rules and default actions those have.
    pub routes: u32,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum EventKind {
    /// The plan was stored and every lock taken.
    Planned {
        /// Number of routes locked.
        routes: u32,
        /// Which services had not migrated that this one comes after, who started it all the same, and why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after_ignored: Option<String>,
    },
    /// The new groups exist, tagged as ours.
    GroupsCreated {
        /// New group of each old one.
        groups: BTreeMap<TargetGroupArn, TargetGroupArn>,
    },
    /// Our own alarms on the new groups exist, tagged as ours.
    GuardsCreated {
        /// Their names.
        alarms: Vec<String>,
    },
    /// A shift is about to be written.
    ShiftIntended {
        /// The step.
        step: u32,
        /// Its weight.
        weight: Weight,
    },
    /// Every route was read back at the step's weight.
    Shifted {
        /// The step.
        step: u32,
        /// Its weight.
        weight: Weight,
    },
    /// Targets were registered, or are left to a controller.
    TargetsRegistered {
        /// How many, by us.
        registered: u32,
    },
    /// Targets that are not of this attempt are about to be deregistered from the new groups.
    UnlistedTargetsFound {
        /// The targets of each new group, as `10.0.1.5:8080`.
        unlisted: BTreeMap<TargetGroupArn, Vec<String>>,
    },
    /// The health of the new targets was read.
    TargetsChecked {
        /// Whether every new group had enough healthy targets.
        healthy: bool,
        /// What was seen.
        reason: String,
    },
    /// Rules through which the new side is probed are about to be created.
    ProbesBegun {
        /// The listeners that get one.
        listeners: Vec<ListenerArn>,
    },
    /// The rules exist, and a command outside may send the requests.
    ProbesOffered {
        /// The rules, and what is to be asked through them.
        rules: Vec<OfferedRule>,
        /// What is not probed although other listeners are, in sentences.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        left_out: Vec<String>,
    },
    /// A command outside has sent the requests of a round.
    ProbesReported {
        /// The round.
        round: u64,
        /// What it has seen.
        report: ProbeReport,
    },
    /// The new side was probed, and the rules are gone.
    Probed {
        /// Whether it answered as the old side does.
        passed: bool,
        /// What was tested, or what failed.
        reason: String,
    },
    /// Rules that a probe had left were deleted.
    ProbeRulesDeleted,
    /// The gates looked.
    Judged {
        /// Their reasons.
        verdict: NextStep,
        /// Which gate decided, and why.
        reason: String,
    },
    /// A gate that only observes has changed its mind.
    Observed {
        /// The gate's name.
        gate: String,
        /// What it would have done; to continue where it no longer objects.
        vote: Vote,
        /// Why; empty where it does not object.
        reason: String,
        /// When the cause arose, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        caused_at: Option<Timestamp>,
    },
    /// A hook is about to be called by a machine.
    HookCalled {
        /// When it is called.
        point: HookPoint,
        /// The step it belongs to; 0 after a rollback.
        step: u32,
        /// The function's name.
        function: String,
        /// The execution that calls it.
        execution: String,
    },
    /// The hook answered without an error.
    HookAnswered {
        /// When it was called.
        point: HookPoint,
        /// The step it belongs to; 0 after a rollback.
        step: u32,
        /// The function's name.
        function: String,
        /// How many requests each new target has answered before its first user, if the hook says it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        warmed: Option<u64>,
    },
    /// An operator asked for something.
    Commanded {
        /// The commands in force from now on.
        commands: Commands,
        /// Who asked, and why.
        reason: String,
    },
    /// A rollback was begun; later ones join it.
    RollbackBegun {
        /// Who began it.
        trigger: Trigger,
        /// Why.
        cause: String,
        /// When the cause arose.
        caused_at: Timestamp,
    },
    /// A route was left as someone else made it: our group is not in it.
    ForeignEditKept {
        /// The route.
        route: RouteId,
        /// The requests that it takes, for people; empty in what an earlier version has recorded.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        requests: String,
        /// What was seen.
        seen: String,
    },
    /// Every route was read back without the new groups.
    RoutesReturned {
        /// How many routes had to be written.
        written: u32,
        /// How many are not at their baselines, because someone else changed them.
        #[serde(default, skip_serializing_if = "is_zero")]
        left: u32,
    },
    /// The second check, after settle, found every route back; the locks are released.
    RollbackVerified {
        /// Routes that a late writer had moved again and that were returned again.
        rewritten: u32,
        /// How many are not at their baselines, because someone else changed them.
        #[serde(default, skip_serializing_if = "is_zero")]
        left: u32,
    },
    /// All traffic is on the new side, read back; locks are released.
    Finished {
        /// What was listed to say so. None in journals of earlier versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        listed: Option<RoutesListed>,
    },
    /// The requests of both clusters, counted once the locks were released.
    RequestsCounted {
        /// The counts.
        counts: RequestCounts,
    },
    /// They could not be counted.
    RequestsNotCounted {
        /// Why.
        reason: String,
    },
    /// Stopped without moving traffic; locks stay.
    Halted {
        /// Why, and what to do.
        reason: String,
    },
    /// An operator has continued a halted migration, in a new execution.
    Resumed {
        /// The ARN of that execution, which is started after this is recorded.
        execution: String,
        /// Who asked, and why.
        who: String,
        /// What others did to routes and what from now on belongs to their baselines. Where there is any, the revision
        /// of the plan that has it is stored with this line, under the generation that this line begins.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        accepted: Vec<Drift>,
    },
    /// Ended before the first change; what was created is removed, locks are released.
    Refused {
        /// Why.
        reason: String,
    },
}

impl EventKind {
    /// Whether it says how many requests there were. That follows the end, and changes nothing.
    pub fn is_about_requests(&self) -> bool {
        matches!(self, Self::RequestsCounted { .. } | Self::RequestsNotCounted { .. })
    }

    /// Whether a migration ends with it, and with it the hold on its routes.
    pub fn is_end(&self) -> bool {
        matches!(self, Self::Finished { .. } | Self::RollbackVerified { .. } | Self::Refused { .. })
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
