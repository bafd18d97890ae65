//! The last acts: the old side is retired, the internal routes go, and everything is looked at.

use super::{Ended, Played, Player, RehearsalError, counted, not_in, unplayed};
use crate::run::traffic::entry;
use crate::scenario::ActScenario;
use crate::traffic::load::look;
use crossfade_domain::names::ServiceName;
use crossfade_domain::policy::calling::InternalAddress;
use serde_json::json;
use std::collections::BTreeSet;

/// The states in which nothing of the old side is left in use.
const RETIRED: [&str; 2] = ["Deregistered", "Deleted"];

impl Player<'_> {
    /// Retires the old side of every service, by `retire-service`.
    pub(super) async fn retire(&mut self, act: &ActScenario) -> Result<Played, RehearsalError> {
        let (groups, before) = self.old_targets().await?;
        let names: Vec<ServiceName> = self.policy().services.iter().map(|service| service.name.clone()).collect();
        let inputs = names.into_iter().map(|name| (name.clone(), json!({ "service": name }))).collect();
        let ended = self.run_all(("retire-service", "retire"), inputs, act.side_by_side).await?;
        let wrong = not_in(&ended, &RETIRED);
        let (_, after) = self.old_targets().await?;
        let (services, targets) = (ended.len() - wrong.len(), before - after);
        let counts = [("services", services), ("targetGroups", groups), ("targets", targets), ("failed", wrong.len())];
        let summary =
            format!("{} proven idle; {} deregistered", counted(services, "old side"), counted(targets, "target"));
        Ok(Played::new(counts, summary, wrong))
    }

    /// Removes the internal routes, by `connect-service`. Those whose requests cannot be counted are refused first, and
    /// then removed for the act's reason.
    pub(super) async fn disconnect(&mut self, act: &ActScenario) -> Result<Played, RehearsalError> {
        let undo = json!({ "action": "undo", "who": "the story" });
        let inputs = self.connectable(&undo);
        let first = self.run_all(("connect-service", "disconnect"), inputs, act.side_by_side).await?;
        let (refused, mut ended): (Vec<Ended>, Vec<Ended>) =
            first.into_iter().partition(|one| act.reason.is_some() && one.state == "Refused" && self.shares(one));
        let names: BTreeSet<&ServiceName> = refused.iter().map(|one| &one.service).collect();
        let mut inputs = self.connectable(&undo);
        inputs.retain(|(service, _)| names.contains(service));
        for (_, input) in &mut inputs {
            input["force"] = json!(true);
            input["reason"] = json!(act.reason);
        }
        let second = self.run_all(("connect-service", "disconnect-by-force"), inputs, act.side_by_side).await?;
        let forced = second.len() - not_in(&second, &["Removed"]).len();
        ended.extend(second);
        let wrong = not_in(&ended, &["Removed"]);
        let routes = ended.len() - wrong.len();
        let counts = [("routes", routes), ("forced", forced), ("refused", wrong.len())];
        let summary = format!("{} removed, {forced} of them by force", counted(routes, "internal route"));
        Ok(Played::new(counts, summary, wrong))
    }

    /// Whether users come to the same target group on the load balancer of the internal route, so that CloudWatch
    /// counts their requests and the callers' as one.
    fn shares(&self, one: &Ended) -> bool {
        let service = self.rehearsal.scenario.services.iter().find(|service| service.name == one.service);
        service.is_some_and(|service| {
            let internal = service.policy.internal_route.as_ref().map(|route| &route.load_balancer);
            internal.is_some_and(|internal| service.load_balancers.iter().any(|it| Some(it) == internal.as_ref()))
        })
    }

    /// Asks every route of every service who answers, and looks for what is left of the old side.
    pub(super) async fn look(&mut self) -> Result<Played, RehearsalError> {
        let mut wrong = Vec::new();
        let (mut new, mut old) = (0, 0);
        let services = self.rehearsal.scenario.services.iter().zip(&self.rehearsal.stage.services);
        for (service, staged) in services {
            for route in &staged.routes {
                let Some(entry) = entry(self.rehearsal, service, route) else { continue };
                let answer = look(&entry).await;
                if answer.as_ref().is_some_and(|(status, body)| *status == 200 && body.contains("on the new cluster")) {
                    new += 1;
                } else {
                    old += 1;
                    wrong.push(format!("{}{} answered {answer:?}", entry.host, entry.path));
                }
            }
        }
        let (_, old_targets) = self.old_targets().await?;
        let routes = self.internal_routes().await?;
        let counted_so_far = self.traffic.all_counts();
        let spoiled: u64 = counted_so_far.iter().map(super::super::traffic::ServiceCounts::spoiled).sum();
        let counts = [
            ("answeredByNew", new),
            ("answeredByOld", old),
            ("oldTargets", old_targets),
            ("internalRoutes", routes),
            ("spoiled", usize::try_from(spoiled).unwrap_or(usize::MAX)),
        ];
        let summary = format!(
            "new cluster answers {new} of {}; {}",
            counted(new + old, "route"),
            counted(old_targets, "old target")
        );
        Ok(Played::new(counts, summary, wrong))
    }

    /// How many target groups have targets of the old cluster, and how many registrations those are.
    async fn old_targets(&self) -> Result<(usize, usize), RehearsalError> {
        let groups = self.ports.survey.all_target_groups().await.map_err(unplayed("reading the target groups"))?;
        let staged = self.rehearsal.scenario.services.iter();
        let ids: BTreeSet<String> = staged
            .flat_map(|service| (1..=service.old_targets).map(|number| format!("i-{}-{number}", service.name)))
            .collect();
        let elbv2 = self.rehearsal.stage.elbv2.lock().expect("no holder of the lock panics");
        let of_group = |arn: &str| elbv2.targets_of(arn).iter().filter(|(id, _)| ids.contains(id)).count();
        let counts: Vec<usize> = groups.iter().map(|group| of_group(group.arn.as_str())).filter(|n| *n > 0).collect();
        Ok((counts.len(), counts.iter().sum()))
    }

    /// How many rules for a host of an internal route exist.
    async fn internal_routes(&self) -> Result<usize, RehearsalError> {
        let hosts: BTreeSet<&str> = self
            .policy
            .iter()
            .flat_map(|policy| &policy.services)
            .filter_map(|service| match &service.internal_route.as_ref()?.by {
                InternalAddress::Host { host, .. } => Some(host.as_str()),
                InternalAddress::Port { .. } => None,
            })
            .collect();
        let mut found = 0;
        for balancer in self.ports.survey.all_load_balancers().await.map_err(unplayed("reading the load balancers"))? {
            let listeners = self.ports.survey.listeners_of(&balancer.arn).await;
            for listener in listeners.map_err(unplayed("reading the listeners"))? {
                let rules = self.ports.rules.rules(&listener.arn).await.map_err(unplayed("reading the rules"))?;
                let values = rules.iter().flat_map(|rule| &rule.conditions).flat_map(|condition| &condition.values);
                found += values.filter(|value| hosts.contains(value.as_str())).count();
            }
        }
        Ok(found)
    }
}
