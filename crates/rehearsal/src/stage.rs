//! The stage of a rehearsal: the scenario's load balancers, groups, rules, alarms and clusters, with an hour of
//! history.

mod alarms;
mod history;
mod routes;
mod scaling_groups;

pub(crate) use routes::described;

use crate::clock::WorldClock;
use crate::scenario::{NEW_PORT, RouteScenario, Scenario, ServiceScenario, new_target_id, old_group_name};
use crate::traffic::cluster::{Cluster, ClusterSettings};
use crate::traffic::data_plane::Directory;
use crossfade_world::auto_scaling::AutoScaling;
use crossfade_world::aws_error::AwsError;
use crossfade_world::calendars::ChangeCalendars;
use crossfade_world::cloudwatch::CloudWatch;
use crossfade_world::elbv2::Elbv2;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Median latency of every service, in world milliseconds.
const MEDIAN_LATENCY_MS: f64 = 40.0;

/// Why a stage could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The world refused what the scenario needs.
    #[error("cannot set up {what}")]
    Refused {
        /// What was being created.
        what: String,
        /// The world's error.
        #[source]
        source: AwsError,
    },
    /// A cluster's servers could not be started.
    #[error("cannot start the servers of {service}")]
    Servers {
        /// The service.
        service: String,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
}

/// Everything that exists before the first migration begins.
pub struct Stage {
    /// The load balancers.
    pub elbv2: Arc<Mutex<Elbv2>>,
    /// Metrics and alarms.
    pub cloudwatch: Arc<Mutex<CloudWatch>>,
    /// The Auto Scaling groups.
    pub auto_scaling: Arc<Mutex<AutoScaling>>,
    /// The change calendars.
    pub calendars: Arc<Mutex<ChangeCalendars>>,
    /// The local server of each target.
    pub directory: Directory,
    /// The listener of each load balancer, by the load balancer's name.
    pub listeners: BTreeMap<String, String>,
    /// The services, in the scenario's order.
    pub services: Vec<StagedService>,
}

/// One service on the stage.
pub struct StagedService {
    /// Its servers on the old cluster.
    pub old: Arc<Cluster>,
    /// Its servers on the new cluster.
    pub new: Arc<Cluster>,
    /// Its routes.
    pub routes: Vec<StagedRoute>,
}

/// One route on the stage.
#[derive(Debug, Clone, PartialEq)]
pub struct StagedRoute {
    /// The ARN of the rule, or of the listener if it is the default action.
    pub arn: String,
    /// The listener it is on.
    pub listener: String,
    /// The old group.
    pub old_group: String,
    /// Every group of the action, before the first change.
    pub groups: Vec<String>,
    /// The actions before the first change, as AWS describes them.
    pub baseline: Value,
    /// The scenario's description of it.
    pub scenario: RouteScenario,
}

/// The port of the old targets of the service in a place of the scenario, from 0.
fn old_port(place: usize) -> u16 {
    30_000 + u16::try_from(place).unwrap_or_default()
}

impl Stage {
    /// Sets up the stage at the clock's current time.
    pub async fn set(scenario: &Scenario, clock: &WorldClock) -> Result<Self, StageError> {
        let now = clock.now();
        let mut stage = Self {
            elbv2: Arc::new(Mutex::new(Elbv2::new(scenario.seed))),
            cloudwatch: Arc::default(),
            auto_scaling: Arc::default(),
            calendars: Arc::default(),
            directory: Directory::default(),
            listeners: BTreeMap::new(),
            services: Vec::new(),
        };
        for (number, service) in scenario.services.iter().enumerate() {
            let staged = stage.service(service, number, scenario.seed, now, clock).await?;
            stage.services.push(staged);
        }
        stage.settle_alarms(now);
        Ok(stage)
    }

    /// Creates the scenario's calendars, for a load that begins now.
    pub(crate) fn create_calendars(&self, scenario: &Scenario, now: Timestamp) {
        let at = |minute: f64| now + SignedDuration::from_secs_f64(minute * 60.0);
        let mut calendars = self.calendars.lock().expect("no holder of the lock panics");
        for calendar in &scenario.calendars {
            let closed: Vec<_> = calendar.closed.iter().map(|(from, to)| (at(*from), at(*to))).collect();
            calendars.put_calendar(&calendar.name, &closed);
        }
    }

    async fn service(
        &mut self,
        service: &ServiceScenario,
        number: usize,
        seed: u64,
        now: Timestamp,
        clock: &WorldClock,
    ) -> Result<StagedService, StageError> {
        let name = service.name.as_str();
        let seed = seed.wrapping_mul(1000).wrapping_add(u64::try_from(number).unwrap_or_default() * 10);
        let cluster = |side, servers, seed| ClusterSettings {
            service: name.to_owned(),
            side,
            servers,
            median_latency_ms: MEDIAN_LATENCY_MS,
            base_error_share: 0.0,
            seed,
        };
        let started = |source| StageError::Servers { service: name.to_owned(), source };
        let old = Cluster::start(&cluster("old", service.old_targets, seed), clock).await.map_err(started)?;
        let new = Cluster::start(&cluster("new", service.new_targets, seed + 1), clock).await.map_err(started)?;
        for (index, address) in new.addresses().iter().enumerate() {
            let id = new_target_id(number, u64::try_from(index).unwrap_or_default() + 1);
            self.directory.insert(&id, NEW_PORT, *address);
        }
        let old_port = old_port(number);
        self.put_scaling_group(service, number, &new);
        let instances: Vec<String> = (1..=old.addresses().len()).map(|index| format!("i-{name}-{index}")).collect();
        for (id, address) in instances.iter().zip(old.addresses()) {
            self.directory.insert(id, old_port, *address);
        }
        let refused = |what: String| move |source| StageError::Refused { what, source };
        for balancer in &service.load_balancers {
            self.balancer(service, balancer, old_port, &instances, now)
                .map_err(refused(format!("load balancer {balancer} of {name}")))?;
        }
        let mut staged = Vec::new();
        for (index, route) in service.routes.iter().enumerate() {
            let route =
                self.route(route, name, index, now).map_err(refused(format!("route {} of {name}", index + 1)))?;
            staged.push(route);
        }
        let alarms = self.alarms(service, now);
        alarms.map_err(refused(format!("alarms of {name}")))?;
        self.history(service, seed + 2, now);
        Ok(StagedService { old: Arc::new(old), new: Arc::new(new), routes: staged })
    }

    /// The alarms have existed throughout the history, so they have a state before anything begins. No event is sent.
    fn settle_alarms(&self, now: Timestamp) {
        let minute = Timestamp::from_second(now.as_second() - now.as_second().rem_euclid(60));
        let minute = minute.expect("a minute before now is a time");
        self.cloudwatch.lock().expect("no holder of the lock panics").evaluate(minute);
    }

    /// Creates one old group with the service's instances, and its load balancer with one listener unless another
    /// service has it already.
    fn balancer(
        &mut self,
        service: &ServiceScenario,
        balancer: &str,
        old_port: u16,
        instances: &[String],
        now: Timestamp,
    ) -> Result<(), AwsError> {
        let mut elbv2 = self.elbv2.lock().expect("no holder of the lock panics");
        let name = service.name.as_str();
        // Where services share a load balancer, the old cluster's owners have said which group is whose.
        let tags: &[(&str, &str)] = if balancer.starts_with(name) { &[] } else { &[("service", name)] };
        if !self.listeners.contains_key(balancer) {
            let arn = elbv2.create_load_balancer(now, balancer)?;
            // AWS allows authentication actions only on HTTPS listeners.
            let oidc = service.routes.iter().any(|route| route.oidc && route.load_balancer == balancer);
            let (protocol, port) = if oidc { ("HTTPS", 443) } else { ("HTTP", 80) };
            self.listeners.insert(balancer.to_owned(), elbv2.create_listener(now, &arn, protocol, port)?);
        }
        let group = elbv2.create_target_group(now, &old_group_name(name, balancer), old_port, tags)?;
        let targets: Vec<(&str, u16)> = instances.iter().map(|id| (id.as_str(), old_port)).collect();
        if !targets.is_empty() {
            elbv2.register(now, &group, &targets)?;
        }
        Ok(())
    }
}
