//! The acts that tell callers where to call: through the load balancer, and at the end directly.

use super::{Played, Player, RehearsalError, counted, unplayed};
use crate::run::traffic::Wired;
use crate::traffic::cluster::HEALTH_PATH;
use crate::traffic::load::{CallWay, Entry, look};
use crossfade_domain::names::ServiceName;
use crossfade_domain::policy::wiring::balancer::{Balancer, Door, chosen, door_of};
use crossfade_domain::policy::wiring::{Way, Wiring};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Between the deployments of two callers with their new base URLs, in world time.
const BETWEEN_CALLERS: Duration = Duration::from_secs(5);

impl Player<'_> {
    /// Checks the URL of each internal route by one request, and tells the callers, one caller after the other.
    pub(super) async fn wire(&mut self) -> Result<Played, RehearsalError> {
        let balancers = self.balancers().await?;
        let mut ways = BTreeMap::new();
        let mut wrong = Vec::new();
        let policy = self.policy();
        for service in &policy.services {
            let Some(route) = &service.internal_route else { continue };
            let balancer = chosen(service, route, None, &balancers);
            let wiring = Wiring::of(policy, service, Way::LoadBalancer, balancer.as_ref().ok().copied());
            let door = balancer.and_then(|balancer| door_of(route, balancer));
            let address = match (door, wiring.url) {
                (Ok(door), Some(url)) => self.rehearsal.plane.address_of(door.arn.as_str()).map(|it| (it, url)),
                (Err(problem), _) => {
                    wrong.push(format!("{}: {problem}", service.name));
                    continue;
                }
                (_, None) => None,
            };
            let Some((address, url)) = address else {
                wrong.push(format!("{}: {}", service.name, wiring.problem.unwrap_or_default()));
                continue;
            };
            let host = url.split_once("://").map_or(url.as_str(), |(_, host)| host).to_owned();
            let entry = |path: &str| Entry { address, host: host.clone(), path: path.into(), cookie: String::new() };
            match look(&entry(HEALTH_PATH)).await {
                Some((200, _)) => drop(ways.insert(service.name.clone(), CallWay::LoadBalancer(entry("/")))),
                answer => wrong.push(format!("{url}{HEALTH_PATH} answered {:?}, expected 200", answer.map(|it| it.0))),
            }
        }
        self.tell(ways, wrong).await
    }

    /// Checks the direct URL of each service that is called, and tells the callers.
    pub(super) async fn wire_directly(&mut self) -> Result<Played, RehearsalError> {
        let mut ways = BTreeMap::new();
        let mut wrong = Vec::new();
        let policy = self.policy();
        for service in policy.services.iter().filter(|service| service.internal_route.is_some()) {
            let url = Wiring::of(policy, service, Way::Direct, None).url.unwrap_or_default();
            // The names of the new cluster resolve to its servers.
            let own =
                url.strip_prefix("http://").and_then(|rest| rest.split_once('.')).map(|(name, _)| name.to_owned());
            let place = self.rehearsal.scenario.services.iter().position(|it| Some(it.name.as_str()) == own.as_deref());
            let server = place.and_then(|place| self.rehearsal.stage.services[place].new.addresses().first().copied());
            let answer = match server {
                Some(address) => {
                    let (host, path) = (own.unwrap_or_default(), HEALTH_PATH.to_owned());
                    look(&Entry { address, host, path, cookie: String::new() }).await
                }
                None => None,
            };
            match answer {
                Some((200, _)) => drop(ways.insert(service.name.clone(), CallWay::NewCluster)),
                answer => wrong.push(format!("{url}{HEALTH_PATH} answered {:?}, expected 200", answer.map(|it| it.0))),
            }
        }
        self.tell(ways, wrong).await
    }

    async fn tell(
        &mut self,
        ways: BTreeMap<ServiceName, CallWay>,
        mut wrong: Vec<String>,
    ) -> Result<Played, RehearsalError> {
        let wires: Vec<Wired> = self.traffic.wires().to_vec();
        let callers: BTreeSet<&ServiceName> = wires.iter().map(|wire| &wire.caller).collect();
        let mut told = 0;
        // Callers change only where every URL works.
        for caller in callers.iter().filter(|_| wrong.is_empty()) {
            for wire in wires.iter().filter(|wire| wire.caller == **caller) {
                if let Some(way) = ways.get(&wire.called) {
                    wire.wire.lead(way.clone());
                    told += 1;
                }
            }
            self.pause(BETWEEN_CALLERS).await?;
        }
        let untold = wires.iter().filter(|wire| !ways.contains_key(&wire.called));
        wrong.extend(untold.map(|wire| format!("{} has no URL for its calls of {}", wire.caller, wire.called)));
        let counts = [("services", ways.len()), ("callers", callers.len()), ("urls", told), ("broken", wrong.len())];
        let summary = format!(
            "{} of {} checked; {} changed",
            counted(told, "URL"),
            counted(ways.len(), "service"),
            counted(callers.len(), "caller")
        );
        Ok(Played::new(counts, summary, wrong))
    }

    /// The load balancers, as `crossfade wiring` reads them.
    async fn balancers(&self) -> Result<Vec<Balancer>, RehearsalError> {
        let survey = &self.ports.survey;
        let mut balancers = Vec::new();
        for found in survey.all_load_balancers().await.map_err(unplayed("reading the load balancers"))? {
            let listeners = survey.listeners_of(&found.arn).await.map_err(unplayed("reading the listeners"))?;
            let listeners = listeners.into_iter().map(Door::from).collect();
            balancers.push(Balancer { listeners, ..found.into() });
        }
        Ok(balancers)
    }
}
