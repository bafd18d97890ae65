//! A fleet whose services' journals are written by the test.

use crate::fleet::command::FleetCommand;
use crate::fleet::decide::{Decision, Order, Planned, Seen, decide};
use crate::fleet::event::FleetEvent;
use crate::fleet::head::{FleetHead, RunState};
use crate::fleet::observe::Untraced;
use crate::fleet::service_run::{ServiceRun, ServiceState, Size};
use crate::fleet::turns::to_plan;
use crate::fleet::waves::waves;
use crate::journal::{EventKind, Head, Trigger};
use crate::names::{LoadBalancerArn, ServiceName};
use crate::policy::document::decode_fleet;
use crate::policy::rollout::Rollout;
use crate::policy::service_policy::FleetPolicy;
use crate::weight::Weight;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::collections::BTreeMap;

pub(crate) fn name(name: &str) -> ServiceName {
    ServiceName::parse(name).unwrap()
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub(crate) fn balancer(name: &str) -> LoadBalancerArn {
    LoadBalancerArn::parse(format!("arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/{name}/1")).unwrap()
}

/// A policy of services, each with those that it comes after.
pub(crate) fn policy(services: &[(&str, &[&str])]) -> FleetPolicy {
    let services: Vec<_> = services
        .iter()
        .map(|(name, after)| {
            let targets = json!({ "instances": ["i-1", "i-2"] });
            json!({ "name": name, "oldTargetGroups": format!("{name}-old"), "newTargets": targets, "after": after })
        })
        .collect();
    let mut policy = decode_fleet(&json!({ "fleet": "eks-2026", "services": services })).unwrap();
    policy.rollout = Rollout { wave_bake_seconds: 0, canary_bake_seconds: 0, ..Rollout::default() };
    policy
}

pub(crate) fn size(routes: u32) -> Size {
    Size { routes, ..Size::default() }
}

pub(crate) fn skip(service: &str) -> FleetCommand {
    FleetCommand::Skip { service: name(service), release_dependants: false }
}

/// A run, what it sees, and the time.
pub(crate) struct Run {
    pub(crate) policy: FleetPolicy,
    pub(crate) head: FleetHead,
    pub(crate) seen: Seen,
    pub(crate) now: Timestamp,
    /// The size of every service that is planned.
    pub(crate) size: Size,
    pub(crate) sizes: BTreeMap<ServiceName, Size>,
}

impl Run {
    pub(crate) fn new(policy: FleetPolicy) -> Self {
        Self::with_requests(policy, &[])
    }

    pub(crate) fn with_requests(policy: FleetPolicy, requests: &[(&str, u64)]) -> Self {
        let requests: BTreeMap<ServiceName, u64> = requests.iter().map(|(of, count)| (name(of), *count)).collect();
        let first = FleetHead::first(&policy.fleet, None, "arn:conductor", at(0));
        let begun = FleetEvent::Begun { who: "me".into(), waves: waves(&policy, &requests), requests };
        let head = first.apply(&first.next_entry(vec![begun], at(0)));
        Self { policy, head, seen: Seen::default(), now: at(0), size: size(1), sizes: BTreeMap::new() }
    }

    /// One look a minute after the last: reads the plans that it needs, decides, and records.
    #[track_caller]
    pub(crate) fn look(&mut self) -> Decision {
        self.now += SignedDuration::from_secs(60);
        self.seen.plans = to_plan(&self.policy, &self.head)
            .into_iter()
            .map(|name| (name.clone(), Planned::Size(self.sizes.get(&name).unwrap_or(&self.size).clone())))
            .collect();
        self.decide()
    }

    /// Decides now, by what is seen, and records it.
    #[track_caller]
    pub(crate) fn decide(&mut self) -> Decision {
        let decision = decide(&self.policy, &self.head, &self.seen, self.now);
        let after = self.head.apply(&self.head.next_entry(decision.events.clone(), self.now));
        assert_eq!(FleetHead { sequence: 0, ..after.clone() }, FleetHead { sequence: 0, ..decision.head.clone() });
        let again = decide(&self.policy, &after, &self.seen, self.now);
        assert_eq!(again.events, [], "a second look at the same world decides nothing new");
        assert_eq!(again.orders, decision.orders, "and asks for the same");
        self.head = after;
        decision
    }

    /// Looks until nothing more is planned, and returns which services were started.
    #[track_caller]
    pub(crate) fn starts(&mut self) -> Vec<String> {
        let mut started = Vec::new();
        for _ in 0..3 {
            let orders = self.look().orders;
            for order in orders {
                if let Order::Start { service, execution, .. } = order {
                    started.push(service.as_str().to_owned());
                    self.begin(service.as_str(), &execution);
                }
            }
        }
        started
    }

    pub(crate) fn state(&self, of: &str) -> ServiceState {
        self.head.state_of(&name(of))
    }

    pub(crate) fn service(&self, of: &str) -> ServiceRun {
        self.head.service(&name(of))
    }

    pub(crate) fn command(&mut self, command: FleetCommand) {
        let commanded = FleetEvent::Commanded { command, who: "me".into() };
        self.head = self.head.apply(&self.head.next_entry(vec![commanded], self.now));
    }

    pub(crate) fn untraced(&mut self, of: &str, how: Untraced) {
        self.seen.untraced.insert(name(of), how);
    }

    /// A migration begins, in an execution of this name.
    pub(crate) fn begin(&mut self, of: &str, execution: &str) {
        let attempt = self.seen.heads.get(&name(of)).map_or(1, |head| head.attempt + 1);
        let execution = format!("arn:aws:states:eu-west-1:1:execution:migrate-service:{execution}");
        let head = Head::first(name(of), attempt, 1, execution, self.now);
        self.seen.untraced.remove(&name(of));
        self.seen.heads.insert(name(of), head);
        self.happens(of, EventKind::ShiftIntended { step: 0, weight: Weight::ZERO });
        self.happens(of, EventKind::Shifted { step: 0, weight: Weight::ZERO });
    }

    /// Something is recorded in a service's journal.
    #[track_caller]
    pub(crate) fn happens(&mut self, to: &str, kind: EventKind) {
        let head = &self.seen.heads[&name(to)];
        let next = head.apply(&head.next_event(kind, self.now)).unwrap();
        self.seen.heads.insert(name(to), next);
    }

    pub(crate) fn migrates(&mut self, of: &str) {
        self.happens(of, EventKind::Finished { listed: None });
    }

    pub(crate) fn halts(&mut self, of: &str) {
        self.happens(of, EventKind::Halted { reason: "drift".into() });
    }

    pub(crate) fn resumes(&mut self, of: &str) {
        self.happens(of, EventKind::Resumed { execution: "arn:x:resumed".into(), who: "me".into(), accepted: vec![] });
    }

    pub(crate) fn begins_rollback(&mut self, of: &str, trigger: Trigger) {
        let caused_at = self.now;
        self.happens(of, EventKind::RollbackBegun { trigger, cause: format!("{trigger:?}"), caused_at });
    }

    pub(crate) fn rolls_back(&mut self, of: &str, trigger: Trigger) {
        self.begins_rollback(of, trigger);
        self.ends_rollback(of);
    }

    pub(crate) fn ends_rollback(&mut self, of: &str) {
        self.happens(of, EventKind::RoutesReturned { written: 1, left: 0 });
        self.happens(of, EventKind::RollbackVerified { rewritten: 0, left: 0 });
    }

    /// Whether the run is as this says.
    #[track_caller]
    pub(crate) fn is(&self, state: RunState) {
        assert_eq!(self.head.state, state, "{:?}", self.head.reason);
    }
}
