//! What a retirement will take apart.

use super::final_form::{attached_form, final_form};
use super::record::GroupRecord;
use crate::journal::{Head, Phase};
use crate::load_balancer::action::{Action, forward_of};
use crate::load_balancer::owner::controller_tag;
use crate::load_balancer::route::{Route, RouteId};
use crate::names::{LoadBalancerArn, MigrationId, TargetGroupArn};
use crate::plan::Plan;
use crate::policy::retire::{Evidence, Retire};
use crate::policy::service_policy::ServicePolicy;
use crate::windows::Windows;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that a retirement will do. Only the records of its groups are read again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RetirementPlan {
    /// The migration that has moved the service.
    pub migration: MigrationId,
    /// When the old side's weight was last verified as 0.
    pub zero_since: Timestamp,
    /// What the policy says about it.
    pub terms: Retire,
    /// The function that is called first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook: Option<String>,
    /// The function that is called when the targets are gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook_after: Option<String>,
    /// When it may detach and delete; at any time where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<Windows>,
    /// The old groups.
    pub groups: Vec<RetiredGroup>,
    /// The routes that name them.
    pub routes: Vec<RetiredRoute>,
    /// How long the routes are watched before targets are deregistered, in seconds.
    pub watch_seconds: u32,
    /// What would register the targets again or replace them, such as Auto Scaling groups, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub registrars: Vec<String>,
    /// Whether the service has an internal route, which is the last to go.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub internal_route: bool,
}

/// An old group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RetiredGroup {
    /// The group in full.
    pub record: GroupRecord,
    /// The new group that has replaced it.
    pub new: TargetGroupArn,
    /// The load balancer of both.
    pub load_balancer: LoadBalancerArn,
}

/// A route that names an old group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RetiredRoute {
    /// The route.
    pub id: RouteId,
    /// The requests that it takes, for people; empty in what an earlier version has recorded.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub requests: String,
    /// Its actions with the old group at weight 0, as the migration has left them.
    pub attached: Vec<Action>,
    /// Its actions without it.
    pub detached: Vec<Action>,
}

/// Makes the plan of a retirement from the migration that has ended, and from the policy as it is now.
///
/// # Errors
/// Why the service cannot be retired: it has not migrated, or its routes cannot be edited.
pub fn plan_retirement(
    head: &Head,
    plan: &Plan,
    policy: &ServicePolicy,
    terms: &Retire,
    records: &BTreeMap<TargetGroupArn, GroupRecord>,
    watch_seconds: u32,
) -> Result<RetirementPlan, Vec<String>> {
    let service = &head.service;
    if head.phase != Phase::Migrated {
        return Err(vec![format!(
            "{} is {}: only the old side of a service that has migrated can be retired; see `crossfade status \
             {service}`",
            head.migration,
            head.phase.in_words()
        )]);
    }
    let mut problems = Vec::new();
    let mut groups = Vec::new();
    for group in &plan.groups {
        match (records.get(&group.old), head.new_groups.get(&group.old)) {
            (Some(record), Some(new)) => groups.push(RetiredGroup {
                record: record.clone(),
                new: new.clone(),
                load_balancer: group.load_balancer.clone(),
            }),
            // Someone has deleted it already, and nothing is left to do about it.
            (None, _) => {}
            (_, None) => problems.push(format!("{} has no new group in {}", group.old.name(), head.migration)),
        }
    }
    let mut routes = Vec::new();
    for route in &plan.routes {
        let Some(new) = head.new_groups.get(&route.old) else { continue };
        match (attached_form(route, new), final_form(route, new)) {
            (Ok(attached), Ok(detached)) => {
                let (id, requests) = (route.id.clone(), route.requests.clone());
                routes.push(RetiredRoute { id, requests, attached, detached });
            }
            (Err(error), _) | (_, Err(error)) => problems.push(format!("{}: {error}", route.named())),
        }
    }
    let hook = policy.hooks.before_retire.clone();
    for evidence in [Evidence::DirectCallers, Evidence::BackgroundWork] {
        if hook.is_none() && terms.waived(evidence).is_none() {
            problems.push(format!(
                "nothing shows {}: name a function under hooks.beforeRetire that checks it, or waive {} with a reason",
                match evidence {
                    Evidence::DirectCallers => "that no one calls the old side without the load balancer",
                    _ => "that the old side does no work by itself, such as consuming events",
                },
                evidence.as_str()
            ));
        }
    }
    if groups.is_empty() && problems.is_empty() {
        problems.push(format!("{service} has no old target group any more: there is nothing to retire"));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let registrars = groups
        .iter()
        .filter_map(|group| {
            let tag = controller_tag(&group.record.tags)?;
            Some(format!("a load balancer controller (tag {tag} of {})", group.record.name))
        })
        .collect();
    Ok(RetirementPlan {
        migration: head.migration.clone(),
        zero_since: head.at_rest_since(),
        terms: terms.clone(),
        hook,
        hook_after: policy.hooks.after_retire.clone(),
        windows: policy.windows.clone(),
        groups,
        routes,
        watch_seconds,
        registrars,
        internal_route: policy.internal_route.is_some(),
    })
}

impl RetirementPlan {
    /// The name of a route for people, by the requests that it takes if the plan has it.
    pub fn name_of(&self, route: &RouteId) -> String {
        let planned = self.routes.iter().find(|planned| planned.id == *route);
        planned.map_or_else(|| route.describe(), RetiredRoute::named)
    }

    /// The old groups.
    pub fn old_groups(&self) -> impl Iterator<Item = &TargetGroupArn> {
        self.groups.iter().map(|group| &group.record.arn)
    }

    /// The load balancers, each once.
    pub fn load_balancers(&self) -> Vec<&LoadBalancerArn> {
        let mut balancers: Vec<&LoadBalancerArn> = self.groups.iter().map(|group| &group.load_balancer).collect();
        balancers.sort();
        balancers.dedup();
        balancers
    }

    /// Whether a route names an old group, with whatever weight.
    pub fn is_named_by(&self, actions: &[Action]) -> bool {
        forward_of(actions).is_some_and(|forward| self.old_groups().any(|group| forward.weight_of(group).is_some()))
    }

    /// The new groups, each once.
    pub fn new_groups(&self) -> Vec<TargetGroupArn> {
        let mut groups: Vec<TargetGroupArn> = self.groups.iter().map(|group| group.new.clone()).collect();
        groups.sort();
        groups.dedup();
        groups
    }

    /// The routes that name an old group and are not part of the plan, in words. Only a person takes them out.
    pub fn named_elsewhere(&self, listed: &[Route]) -> Vec<String> {
        let unplanned = listed.iter().filter(|route| !self.routes.iter().any(|planned| planned.id == route.id));
        unplanned.filter(|route| self.is_named_by(&route.actions)).map(Route::named).collect()
    }
}

impl RetiredRoute {
    /// For people, by the requests that it takes.
    pub fn named(&self) -> String {
        self.id.named(&self.requests)
    }

    /// The change that a tool which owns the route sees afterwards, such as Terraform: one line for what forwards
    /// elsewhere now, and one for the setting that the migration needed.
    pub fn for_its_owner(&self) -> [String; 2] {
        let groups = |actions: &[Action]| {
            let forward = forward_of(actions).map(|forward| &forward.groups);
            forward.into_iter().flatten().map(|tuple| tuple.group.as_str().to_owned()).collect::<Vec<_>>()
        };
        let after = groups(&self.detached);
        let gone: Vec<String> = groups(&self.attached).into_iter().filter(|group| !after.contains(group)).collect();
        [
            format!("{}: write {} where {} was", self.named(), after.join(", "), gone.join(", ")),
            format!("{}: take its actions out of ignore_changes", self.named()),
        ]
    }
}
