//! Clients' requests to every service, both sent and drawn.

use super::Rehearsal;
use super::cluster_faults::Switches;
use crate::scenario::{Match, ServiceScenario};
use crate::stage::{StagedRoute, StagedService};
use crate::traffic::cluster::OnRequest;
use crate::traffic::load::{
    CallCounts, CallSettings, Calls, Counts, DrawnEntry, DrawnLoad, DrawnSettings, Entry, Load, LoadSettings, Wire,
};
use crossfade_domain::names::ServiceName;
use jiff::SignedDuration;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, RwLock};

/// The new target groups of a rehearsal, as they are created.
pub(super) type NewGroups = Arc<RwLock<HashSet<String>>>;

/// The load of every service. It stops when it is dropped.
pub(super) struct Traffic {
    services: Vec<ServiceTraffic>,
    wires: Vec<Wired>,
}

/// What a caller has been told about a service that it calls.
#[derive(Clone)]
pub(super) struct Wired {
    /// The service that calls.
    pub(super) caller: ServiceName,
    /// The service that is called.
    pub(super) called: ServiceName,
    /// By which way.
    pub(super) wire: Wire,
}

/// What a service has been asked.
pub(super) struct ServiceCounts {
    pub(super) from_outside: Counts,
    /// By other services; `None` where the scenario has none that call it.
    pub(super) by_services: Option<CallCounts>,
}

impl ServiceCounts {
    /// Every response that the tool itself spoiled, whoever asked.
    pub(super) fn spoiled(&self) -> u64 {
        let calls = self.by_services.as_ref();
        let by_services = calls.map(|calls| [&calls.through, &calls.direct, &calls.direct_to_new]);
        self.from_outside.spoiled + by_services.iter().flatten().map(|counts| counts.spoiled).sum::<u64>()
    }
}

struct ServiceTraffic {
    counts: Arc<Mutex<Counts>>,
    calls: Option<Arc<Mutex<CallCounts>>>,
    _sent: Option<Load>,
    drawn: Option<DrawnLoad>,
}

impl Traffic {
    pub(super) fn start(rehearsal: &Rehearsal, new_groups: &NewGroups) -> Self {
        let services = rehearsal.scenario.services.iter().zip(&rehearsal.stage.services).enumerate();
        let start = |(number, (service, staged)): (usize, (&ServiceScenario, &StagedService))| {
            let seed = rehearsal.scenario.seed + u64::try_from(number).unwrap_or_default();
            ServiceTraffic::start(rehearsal, service, staged, new_groups, seed)
        };
        let mut traffic = Self { services: services.map(start).collect(), wires: Vec::new() };
        traffic.wires = traffic.let_services_call(rehearsal, new_groups);
        traffic
    }

    /// Returns who calls whom, and by which way.
    pub(super) fn wires(&self) -> &[Wired] {
        &self.wires
    }

    /// Returns the counts so far of every service.
    pub(super) fn all_counts(&self) -> Vec<ServiceCounts> {
        self.services.iter().map(ServiceTraffic::counts).collect()
    }

    /// From now on, the servers of each service call those that the scenario names.
    fn let_services_call(&self, rehearsal: &Rehearsal, new_groups: &NewGroups) -> Vec<Wired> {
        let mut wires = Vec::new();
        let services = &rehearsal.scenario.services;
        let began = rehearsal.clock.now();
        for (service, staged) in services.iter().zip(&rehearsal.stage.services) {
            let deeds = service.calls.iter().filter_map(|call| {
                let place = services.iter().position(|called| called.name == call.service)?;
                let (called, on_stage) = (&services[place], &rehearsal.stage.services[place]);
                let by_host = |route: &&StagedRoute| matches!(route.scenario.matches, Match::Host(_));
                let wired_at = began + SignedDuration::from_secs_f64(call.wired_minute * 60.0);
                let route = on_stage.routes.iter().find(by_host);
                let entry = route.and_then(|route| entry(rehearsal, called, route));
                let wire = Wire::default();
                wires.push(Wired { caller: service.name.clone(), called: called.name.clone(), wire: wire.clone() });
                let settings = CallSettings {
                    wire,
                    // Where the scenario has acts, one of them changes the wiring.
                    wired: entry.map(|entry| (wired_at, entry)).filter(|_| rehearsal.scenario.acts.is_empty()),
                    old: on_stage.old.addresses().to_vec(),
                    new: on_stage.new.addresses().to_vec(),
                    host: called.name.to_string(),
                    clock: rehearsal.clock.clone(),
                    new_groups: new_groups.clone(),
                    fault_is_on: Arc::new(Switches::of(on_stage)),
                };
                let calls = Arc::new(Calls::new(settings, self.services[place].calls.clone()?));
                let deed: OnRequest = Arc::new(move || {
                    let calls = calls.clone();
                    Box::pin(async move { calls.make().await })
                });
                Some(deed)
            });
            let deeds: Vec<OnRequest> = deeds.collect();
            staged.old.on_request(deeds.clone());
            staged.new.on_request(deeds);
        }
        wires
    }

    /// Returns the counts so far of the requests from outside, by service.
    pub(super) fn counts(&self, service: usize) -> Counts {
        self.services[service].counts().from_outside
    }

    /// Starts or stops the drawn requests of a service. Only a migration under way needs dense traffic.
    pub(super) fn draw(&self, service: usize, on: bool) {
        if let Some(drawn) = &self.services[service].drawn {
            drawn.switch(on);
        }
    }

    /// Stops all load and returns each service's counts. No request is under way while the caller works.
    pub(super) fn stop(self) -> Vec<ServiceCounts> {
        self.all_counts()
    }
}

impl ServiceTraffic {
    fn start(
        rehearsal: &Rehearsal,
        service: &ServiceScenario,
        staged: &StagedService,
        new_groups: &NewGroups,
        seed: u64,
    ) -> Self {
        let counts = Arc::new(Mutex::new(Counts::default()));
        let entries: Vec<(Entry, &StagedRoute)> =
            staged.routes.iter().filter_map(|route| Some((entry(rehearsal, service, route)?, route))).collect();
        let fault_is_on = Arc::new(Switches::of(staged));
        let sent = (service.sent_per_minute > 0.0).then(|| {
            let settings = LoadSettings {
                requests_per_minute: service.sent_per_minute,
                clock: rehearsal.clock.clone(),
                entries: entries.iter().map(|(entry, _)| entry.clone()).collect(),
                new_groups: new_groups.clone(),
                fault_is_on: fault_is_on.clone(),
                seed,
            };
            Load::start(settings, &counts)
        });
        let stage = &rehearsal.stage;
        let drawn = (service.drawn_per_minute > 0.0).then(|| {
            let drawn_entry = |(entry, route): &(Entry, &StagedRoute)| {
                DrawnEntry::new(entry, &route.listener, &stage.elbv2, stage.cloudwatch.clone())
            };
            let settings = DrawnSettings {
                requests_per_minute: service.drawn_per_minute,
                entries: entries.iter().map(drawn_entry).collect(),
                elbv2: stage.elbv2.clone(),
                directory: stage.directory.clone(),
                clusters: vec![staged.old.clone(), staged.new.clone()],
                clock: rehearsal.clock.clone(),
                new_groups: new_groups.clone(),
                fault_is_on,
                // A different sequence from that of the live arrivals.
                seed: !seed,
            };
            DrawnLoad::start(settings, counts.clone())
        });
        let is_called = |caller: &ServiceScenario| caller.calls.iter().any(|call| call.service == service.name);
        let calls = rehearsal.scenario.services.iter().any(is_called).then(Arc::default);
        Self { counts, calls, _sent: sent, drawn }
    }

    fn counts(&self) -> ServiceCounts {
        ServiceCounts {
            from_outside: self.counts.lock().expect("no holder of the lock panics").clone(),
            by_services: self.calls.as_ref().map(|calls| calls.lock().expect("no holder of the lock panics").clone()),
        }
    }
}

/// How clients reach a route.
pub(super) fn entry(rehearsal: &Rehearsal, service: &ServiceScenario, route: &StagedRoute) -> Option<Entry> {
    let (host, path) = match &route.scenario.matches {
        Match::Default => (format!("{}.example.com", service.name), "/".to_owned()),
        Match::Host(host) => (host.clone(), "/".to_owned()),
        Match::Path(pattern) => (format!("{}.example.com", service.name), pattern.replace('*', "1")),
    };
    let cookie = if route.scenario.oidc { "AWSELBAuthSessionCookie-0=rehearsal" } else { "" };
    let address = rehearsal.plane.address_of(&route.listener)?;
    Some(Entry { address, host, path, cookie: cookie.to_owned() })
}
