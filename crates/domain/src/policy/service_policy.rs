//! The policy of a service, with the fleet's defaults merged in.

use crate::load_balancer::group::{AddressFamily, Target};
use crate::names::ServiceName;
use crate::policy::calling::{InternalRoute, Probe};
use crate::policy::gates::Gates;
use crate::policy::retire::Retire;
use crate::policy::rollout::{Risk, Rollout};
use crate::weight::Weight;
use crate::windows::Windows;
use serde::{Deserialize, Serialize};

/// A policy for all services of a fleet, decoded and complete.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FleetPolicy {
    /// Version of this format.
    pub version: u32,
    /// The fleet's name.
    pub fleet: String,
    /// How the fleet moves.
    #[serde(default, skip_serializing_if = "Rollout::is_default")]
    pub rollout: Rollout,
    /// Its services.
    pub services: Vec<ServicePolicy>,
}

/// The policy of one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServicePolicy {
    /// The service.
    pub name: ServiceName,
    /// Services that must have migrated before.
    pub after: Vec<ServiceName>,
    /// How much harm its failure would do; a fleet moves the least first.
    #[serde(default, skip_serializing_if = "Risk::is_default")]
    pub risk: Risk,
    /// Names or ARNs of the old target groups, one for each load balancer the service is on.
    pub old_target_groups: Vec<String>,
    /// How the new groups get their targets.
    pub new_targets: NewTargets,
    /// Whether the listed addresses are outside the VPC of the target groups: in a peered VPC, or on premises.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outside_vpc: bool,
    /// The ordered steps.
    pub schedule: Schedule,
    /// Names of the alarms that guard the migration.
    pub alarms: Vec<String>,
    /// Whether we create alarms on the new groups.
    #[serde(default)]
    pub guard_alarms: GuardAlarms,
    /// Healthy targets that each new group must have before it gets traffic.
    pub min_healthy: u32,
    /// Share of the old side's healthy targets (as counted by the plan) that the new side must have for all traffic, in
    /// percent; for a part of the traffic, that part of it. None where nothing is asked for: targets of two clusters
    /// may differ in size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_healthy_share: Option<u16>,
    /// Whether the new cluster is compared with the old one.
    #[serde(default = "is_judged")]
    pub judge: bool,
    /// The judge's tolerances, if they are not the defaults.
    #[serde(default, skip_serializing_if = "Tolerated::is_default")]
    pub tolerated: Tolerated,
    /// After how many seconds a bake may end early, when the judge says that the new cluster is fine; none for never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_bake_seconds: Option<u32>,
    /// What happens at the end of a bake without evidence either way.
    pub on_inconclusive: OnInconclusive,
    /// What happens at the end of a bake in which the new side had no request at all.
    #[serde(default, skip_serializing_if = "OnNoTraffic::is_default")]
    pub on_no_traffic: OnNoTraffic,
    /// What happens when someone else changes a route.
    pub on_drift: OnDrift,
    /// Owners of routes that are accepted although they may write the weights back.
    pub allow_managed_by: Vec<ManagedBy>,
    /// Share of the old side's healthy targets (as counted by the plan) that must stay, in percent.
    pub old_healthy_share: u8,
    /// Seconds between two looks of the gates, never more than the bake.
    pub slice_seconds: u32,
    /// Longest time that a step may be held or wait for approval before the migration halts, in seconds.
    pub max_hold_seconds: u32,
    /// Longest wait for the new targets to become healthy, in seconds.
    pub targets_timeout_seconds: u32,
    /// Functions called at certain points.
    pub hooks: Hooks,
    /// Which gates only observe.
    #[serde(default, skip_serializing_if = "Gates::is_default")]
    pub gates: Gates,
    /// When traffic may be raised; at any time where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<Windows>,
    /// Services that it calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<ServiceName>,
    /// How other services reach it through a load balancer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal_route: Option<InternalRoute>,
    /// The property in which its callers keep its base URL; `{service}` is its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url_property: Option<String>,
    /// When the old side goes, and by what evidence.
    #[serde(default, skip_serializing_if = "Retire::is_default")]
    pub retire: Retire,
    /// The URL under which callers reach it in the new cluster, without a load balancer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direct_url: Option<String>,
    /// Requests that the new side must answer before any user's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<Probe>,
}

impl ServicePolicy {
    /// After how many seconds a PASS of the judge ends the bake of a step (from 1) early. None where nothing does:
    /// without `minBake`, where it is no shorter than the bake, and at the last step, whose bake is the final one.
    pub fn early_end_seconds(&self, step: u32) -> Option<u32> {
        let (_, before_the_last) = self.schedule.steps.split_last()?;
        let step = before_the_last.get(usize::try_from(step).ok()?.checked_sub(1)?)?;
        step.min_bake_seconds.or(self.min_bake_seconds).filter(|least| *least < step.bake_seconds)
    }
}

/// What is worth choosing about the judge. Its bets and caps are constants.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Tolerated {
    /// The factor on the old cluster's share of errors, and on that of refusals.
    pub factor: f64,
    /// How many points above that harm begins.
    pub margins: Margins,
    /// How many points the factor may add to the old cluster's share of errors, at most.
    pub cap: f64,
    /// The chance of a false rollback in one migration.
    pub alpha: f64,
    /// How many milliseconds above the old cluster's p95 never count as slow at the new one.
    pub slow_milliseconds: u32,
    /// When slowness begins to be judged.
    pub warm_up: TargetsWarmUp,
}

/// When a new target counts as warm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TargetsWarmUp {
    /// Requests that each healthy target has answered.
    pub requests: u32,
    /// Minutes since the first shift.
    pub minutes: u32,
    /// Whether errors and refusals wait for it too.
    pub errors: bool,
}

impl Default for TargetsWarmUp {
    fn default() -> Self {
        Self { requests: 2_000, minutes: 5, errors: false }
    }
}

/// Points (hundredths of all requests) above the factor's line, by metric.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Margins {
    /// Of answers of 500 to 599, and connections that failed.
    pub errors: f64,
    /// Of answers clearly above the old cluster's p95.
    pub slow: f64,
    /// Of answers above twice the old cluster's p95.
    pub very_slow: f64,
    /// Of answers of 400 to 499.
    pub client_errors: f64,
}

impl Default for Tolerated {
    fn default() -> Self {
        Self {
            factor: 1.5,
            margins: Margins::default(),
            cap: 2.0,
            alpha: 0.001,
            slow_milliseconds: 10,
            warm_up: TargetsWarmUp::default(),
        }
    }
}

impl Default for Margins {
    fn default() -> Self {
        Self { errors: 0.1, slow: 1.0, very_slow: 0.3, client_errors: 1.0 }
    }
}

impl Tolerated {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A policy that was stored before there was a choice.
fn is_judged() -> bool {
    true
}

/// How the new target groups get their targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NewTargets {
    /// A controller in the cluster registers them (`TargetGroupBinding`); Crossfade only waits.
    Binding(Binding),
    /// These instances, registered by Crossfade.
    Instances(Vec<Target>),
    /// These addresses, registered by Crossfade.
    Ips(Vec<Target>),
    /// The instances of an Auto Scaling group, which registers them itself once the new groups are attached to it.
    AutoScalingGroup(ScalingTargets),
}

impl NewTargets {
    /// The targets that Crossfade registers itself; none where a controller or an Auto Scaling group does.
    pub fn listed(&self) -> Option<&[Target]> {
        match self {
            Self::Binding(_) | Self::AutoScalingGroup(_) => None,
            Self::Instances(targets) | Self::Ips(targets) => Some(targets),
        }
    }

    /// The Auto Scaling group to which the new groups are attached; none where others register the targets.
    pub fn scaling_group(&self) -> Option<&str> {
        match self {
            Self::AutoScalingGroup(targets) => Some(&targets.name),
            Self::Binding(_) | Self::Instances(_) | Self::Ips(_) => None,
        }
    }

    /// The address family that they need; none where the new group has that of the old one.
    pub fn address_family(&self) -> Option<AddressFamily> {
        match self {
            Self::Binding(binding) => binding.ip_address_type,
            Self::Instances(_) | Self::AutoScalingGroup(_) => None,
            Self::Ips(targets) => targets.first()?.address_family(),
        }
    }

    /// How many addresses take the port of the old group: the policy has none for them, nor for the first one, whose
    /// port is that of the new group.
    pub fn at_the_old_port(&self) -> usize {
        let Self::Ips(targets) = self else { return 0 };
        let is_known = targets.first().is_some_and(|first| first.port.is_some());
        if is_known { 0 } else { targets.iter().filter(|target| target.port.is_none()).count() }
    }

    /// The addresses of another family than the first, with their places in the list: a target group takes one family.
    pub fn of_another_family(&self) -> Vec<(usize, &Target)> {
        let Self::Ips(targets) = self else { return Vec::new() };
        let family = self.address_family();
        targets.iter().enumerate().filter(|(_, target)| target.address_family() != family).collect()
    }
}

/// The Auto Scaling group whose instances are the new targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScalingTargets {
    /// Its name.
    pub name: String,
    /// The new group's port, at which every instance is registered. None where it has the port of the old one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// The Kubernetes service whose pods a controller registers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Binding {
    /// Kubernetes namespace.
    pub namespace: String,
    /// Kubernetes service.
    pub service: String,
    /// Its port, which is also the new group's port.
    pub port: u16,
    /// The address family of the pods. None where the new group has that of the old one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address_type: Option<AddressFamily>,
}

/// Weights and bakes, in order. The last step is 100 %; its bake is the final one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Schedule {
    /// At least one step, weights rising strictly, the last 100 %.
    pub steps: Vec<ScheduleStep>,
}

/// One weight and its bake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleStep {
    /// The new cluster's share.
    pub weight: Weight,
    /// How long the gates watch it before the next step, in seconds.
    pub bake_seconds: u32,
    /// Whether an operator must approve before the next step.
    #[serde(default)]
    pub approve: bool,
    /// After how many seconds the bake may end early, where that is not what the policy says for all steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_bake_seconds: Option<u32>,
}

/// Whether we create alarms on the new groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum GuardAlarms {
    /// The operator's own are all there are.
    #[default]
    None,
    /// One set for each new group, for as long as the migration lasts.
    Auto,
}

/// What happens at the end of a bake without evidence either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnInconclusive {
    /// Continue; the alarms stay in force.
    #[default]
    Advance,
    /// Wait for evidence.
    Hold,
    /// Go back.
    Rollback,
}

/// What happens at the end of a bake in which the new side had no request at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnNoTraffic {
    /// Wait for requests: nobody has judged this step.
    #[default]
    Hold,
    /// Continue.
    Advance,
}

impl OnNoTraffic {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What happens when someone else changes a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnDrift {
    /// Stop without moving traffic; an operator decides.
    #[default]
    Halt,
    /// Take our group out of the live actions.
    Rollback,
}

/// Owners of routes that may write the weights back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ManagedBy {
    /// A `CloudFormation` stack.
    Cloudformation,
}

/// Lambda functions (`crossfade-hook-*`) called at certain points.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hooks {
    /// Before the first traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_first_shift: Option<String>,
    /// After each verified shift.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_each_shift: Option<String>,
    /// After a verified rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_rollback: Option<String>,
    /// Before the old side is retired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_retire: Option<String>,
    /// After the targets of the old side were deregistered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_retire: Option<String>,
}
