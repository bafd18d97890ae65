//! The first acts: what exists, the policy, and the internal routes.

use super::{Played, Player, RehearsalError, counted, not_in};
use crate::scenario::ActScenario;
use crossfade_actions::operator::survey::survey;
use crossfade_domain::planner::new_group_name;
use crossfade_domain::policy::discovery::candidates::Candidates;
use crossfade_domain::policy::discovery::draft::{self, FILL_IN};
use crossfade_domain::policy::document::check_fleet;
use serde_json::{Value, json};
use std::collections::BTreeSet;

impl Player<'_> {
    /// Reads everything behind the load balancers, as `crossfade discover` does, and drafts a policy.
    pub(super) async fn discover(&mut self) -> Result<Played, RehearsalError> {
        let found = survey(self.ports, &mut |_, _, _| ()).await.map_err(RehearsalError::Act)?;
        let candidates = Candidates::of(&found, &[], |_| false);
        let text = draft::policy(&found, &candidates, "new-cluster");
        let is_open = |line: &&str| line.contains(FILL_IN) && !line.trim_start().starts_with('#');
        let to_fill_in = text.lines().filter(is_open).count();
        let listeners = found.load_balancers.iter().flat_map(|balancer| &balancer.listeners);
        let rules = listeners.flat_map(|listener| &listener.rules).filter(|rule| rule.priority.is_some()).count();
        let (services, balancers) = (candidates.services.len(), found.load_balancers.len());
        let wrong = candidates.left_out.iter().map(|one| format!("{}: {}", one.group.group.name, one.why));
        let counts = [
            ("loadBalancers", balancers),
            ("rules", rules),
            ("targetGroups", found.groups.len()),
            ("services", services),
            ("toFillIn", to_fill_in),
            ("leftOut", candidates.left_out.len()),
        ];
        let summary = format!(
            "{} behind {}, with {}",
            counted(services, "service"),
            counted(balancers, "load balancer"),
            counted(rules, "rule")
        );
        let played = Played::new(counts, summary, wrong.collect());
        self.draft = serde_yaml_ng::from_str(&text).ok();
        Ok(played)
    }

    /// Completes the draft with what the services' owners know, checks it, and stores it.
    pub(super) async fn complete_policy(&mut self, act: &ActScenario) -> Result<Played, RehearsalError> {
        let empty = Vec::new();
        let drafted = self.draft.as_ref().and_then(|draft| draft["services"].as_array()).unwrap_or(&empty);
        let written = act.policy["services"].as_array().unwrap_or(&empty);
        let name = |service: &Value| service["name"].as_str().unwrap_or_default().to_owned();
        let mut wrong = Vec::new();
        let mut services = Vec::new();
        let mut filled_in = 0;
        for found in drafted {
            let Some(own) = written.iter().find(|own| name(own) == name(found)) else {
                wrong.push(format!("{} was discovered, and no one in the scenario owns it", name(found)));
                continue;
            };
            let mut service = own.clone();
            service["oldTargetGroups"] = found["oldTargetGroups"].clone();
            if let (None, Some(risk)) = (own.get("risk"), found.get("risk")) {
                service["risk"] = risk.clone();
            }
            filled_in += usize::from(found["newTargets"].as_object().is_some_and(serde_json::Map::is_empty));
            services.push(service);
        }
        let found: BTreeSet<String> = services.iter().map(name).collect();
        let missing = written.iter().map(name).filter(|name| !found.contains(name));
        wrong.extend(missing.map(|name| format!("{name} was not discovered")));
        let mut document = act.policy.clone();
        document["services"] = json!(services);
        match check_fleet(&document) {
            Ok(policy) if wrong.is_empty() => {
                self.ports.ledger.store_policy(&policy.fleet, &document, self.ports.clock.now()).await?;
                self.policy = Some(policy);
            }
            Ok(_) => {}
            Err(problems) => wrong.extend(problems.0.iter().map(ToString::to_string)),
        }
        let counts = [("services", services.len()), ("filledIn", filled_in), ("problems", wrong.len())];
        let summary = format!(
            "{} filled in, {} checked and stored",
            counted(filled_in, "line"),
            counted(services.len(), "service")
        );
        Ok(Played::new(counts, summary, wrong))
    }

    /// Gives each service with an `internalRoute` that route, by `connect-service`.
    pub(super) async fn connect(&mut self, act: &ActScenario) -> Result<Played, RehearsalError> {
        let inputs = self.connectable(&json!({ "who": "the story" }));
        let ended = self.run_all(("connect-service", "connect"), inputs, act.side_by_side).await?;
        let wrong = not_in(&ended, &["Connected"]);
        let (mut balancers, mut copies) = (BTreeSet::new(), 0);
        for one in &ended {
            if let Some(connection) = self.ports.ledger.connection(&one.service).await? {
                copies += usize::from(connection.copy.is_some());
                self.copies.extend(connection.copy.map(|copy| new_group_name(&one.service, &copy)));
                balancers.insert(connection.load_balancer);
            }
        }
        let routes = ended.len() - wrong.len();
        let counts =
            [("routes", routes), ("loadBalancers", balancers.len()), ("copies", copies), ("refused", wrong.len())];
        let summary = format!(
            "{} on {}, {}",
            counted(routes, "internal route"),
            counted(balancers.len(), "load balancer"),
            if copies == 1 { "1 copy".to_owned() } else { format!("{copies} copies") }
        );
        Ok(Played::new(counts, summary, wrong))
    }

    /// The inputs for every service with an `internalRoute`.
    pub(super) fn connectable(&self, input: &Value) -> Vec<(crossfade_domain::names::ServiceName, Value)> {
        let with = self.policy().services.iter().filter(|service| service.internal_route.is_some());
        let one = |service: &crossfade_domain::policy::service_policy::ServicePolicy| {
            let mut input = input.clone();
            input["service"] = json!(service.name);
            (service.name.clone(), input)
        };
        with.map(one).collect()
    }
}
