//! A service that has migrated, with traffic and metrics, and the machine that retires it.

use super::broken::{Breakage, Broken};
use crate::simulation::PortFault;
use crate::stories::stage::{Stage, new_group, users};
use crossfade_actions::error::{ActionError, ErrorClass};
use crossfade_actions::functions::retire::{check_idle, delete_target_group, detach_target_group};
use crossfade_actions::ports::Ports;
use crossfade_domain::load_balancer::same_actions::equivalent;
use crossfade_domain::names::{LoadBalancerArn, ServiceName, TargetGroupArn};
use crossfade_domain::retirement::{RetireVerdict, Retirement, RetirementCursor, RetirementEventKind, RetirementPhase};
use crossfade_world::cloudwatch::{Outcome, RequestRecord};
use crossfade_world::world::ServiceOnBalancer;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// More looks than any retirement of a test takes.
const MOST_LOOKS: usize = 400;

/// What retiring may not do, as it was seen at the calls that did it.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// When the old group has had requests.
    pub(super) used: Vec<Timestamp>,
    /// When a route was last seen to name the old group.
    pub(super) named_at: Option<Timestamp>,
    /// What was wrong.
    pub(super) violations: Vec<String>,
}

pub(super) struct Retiring {
    pub(super) stage: Stage,
    pub(super) service: ServiceOnBalancer,
    pub(super) new: String,
    pub(super) breakage: Option<Breakage>,
    pub(super) seen: Arc<Mutex<Seen>>,
    /// Whether the new side has traffic, and CloudWatch counts targets.
    pub(super) busy: bool,
    pub(super) counted: bool,
    /// Whether the operator's hook fails.
    pub(super) hook_fails: bool,
    /// What the functions said.
    pub(super) said: Vec<String>,
    input: Value,
    function: &'static str,
}

/// What the policy says in most tests: little time, and no evidence but the load balancer's.
pub(super) fn terms(until: &str) -> Value {
    json!({
        "keepOld": "10m", "idleFor": "15m", "until": until,
        "waive": [
            {"evidence": "directCallers", "why": "its owner says so"},
            {"evidence": "backgroundWork", "why": "it has none"},
        ],
    })
}

impl Retiring {
    pub(super) fn new(retire: Value) -> Self {
        Self::on(retire, |_, _| ())
    }

    /// A service with a hook before it is retired.
    pub(super) fn hooked(retire: Value, hook: &str) -> Self {
        Self::of([("retire", retire), ("hooks", json!({ "beforeRetire": hook }))], |_, _| ())
    }

    /// A service with windows.
    pub(super) fn in_windows(retire: Value, windows: Value) -> Self {
        Self::of([("retire", retire), ("windows", windows)], |_, _| ())
    }

    /// A service that is changed by `before` and then migrated.
    pub(super) fn on(retire: Value, before: impl FnOnce(&Stage, &ServiceOnBalancer)) -> Self {
        Self::of([("retire", retire)], before)
    }

    /// A service with these fields in its policy.
    pub(super) fn of<const N: usize>(
        fields: [(&str, Value); N],
        before: impl FnOnce(&Stage, &ServiceOnBalancer),
    ) -> Self {
        Self::on_stage(Stage::new(), fields, before)
    }

    /// The same on a stage that was set up before.
    pub(super) fn on_stage<const N: usize>(
        stage: Stage,
        fields: [(&str, Value); N],
        before: impl FnOnce(&Stage, &ServiceOnBalancer),
    ) -> Self {
        let (mut stage, service) = Stage::with_users_on(stage);
        before(&stage, &service);
        let mut policy = users();
        for (field, value) in fields {
            policy["service"][field] = value;
        }
        stage.migrate(policy);
        let new = new_group(&stage.world, &service);
        Self {
            stage,
            service,
            new,
            breakage: None,
            seen: Arc::default(),
            busy: true,
            counted: true,
            hook_fails: false,
            said: Vec::new(),
            input: json!({"service": "users"}),
            function: "check-idle",
        }
    }

    pub(super) fn old(&self) -> TargetGroupArn {
        TargetGroupArn::parse(&*self.service.old_group).unwrap()
    }

    pub(super) fn retirement(&self) -> Retirement {
        self.stage.ledger.snapshot().retirements[&ServiceName::parse("users").unwrap()].clone()
    }

    pub(super) fn kinds(&self) -> Vec<RetirementEventKind> {
        let number = self.retirement().number;
        let journals = self.stage.ledger.snapshot().retirement_journals;
        let journal = journals[&(ServiceName::parse("users").unwrap(), number)].clone();
        journal.into_iter().map(|event| event.kind).collect()
    }

    /// Whether the old group exists.
    pub(super) fn exists(&self) -> bool {
        self.call("DescribeTargetGroups", &json!({})).to_string().contains(&self.service.old_group)
    }

    pub(super) fn targets(&self) -> usize {
        self.stage.world.with(|state| state.elbv2.targets_of(&self.service.old_group).len())
    }

    pub(super) fn call(&self, operation: &str, input: &Value) -> Value {
        self.stage.world.with(|state| state.elbv2.call_json(state.now, operation, input).unwrap().to_json())
    }

    /// Whether every route is as the migration has left it.
    pub(super) fn is_attached(&self) -> bool {
        let routes = self.retirement().plan.routes;
        routes.iter().all(|route| equivalent(&self.stage.live(&route.id), &route.attached))
    }

    /// Whether every route is without the old group.
    pub(super) fn is_detached(&self) -> bool {
        let routes = self.retirement().plan.routes;
        routes.iter().all(|route| equivalent(&self.stage.live(&route.id), &route.detached))
    }

    /// A request to the old side now.
    pub(super) fn use_old(&self) {
        let now = self.stage.world.now();
        self.seen.lock().unwrap().used.push(now);
        if self.counted {
            self.request(&self.service.old_group, 200);
        }
    }

    pub(super) fn request(&self, group: &str, status: u16) {
        let record = RequestRecord {
            load_balancer: self.balancer(),
            target_group: Some(TargetGroupArn::parse(group).unwrap().dimension().to_owned()),
            outcome: Outcome::Target(status),
            latency_seconds: 0.01,
        };
        self.stage.world.with(|state| state.cloudwatch.record_request(state.now, &record));
    }

    fn balancer(&self) -> String {
        LoadBalancerArn::parse(&*self.service.load_balancer).unwrap().dimension().to_owned()
    }

    /// Lets minutes pass, with what load balancers publish in them.
    pub(super) fn pass(&self, minutes: u32) {
        for _ in 0..minutes {
            let hosts = u32::try_from(self.targets()).unwrap();
            if self.counted {
                let old = self.old();
                self.stage.world.with(|state| {
                    state.cloudwatch.record_hosts(state.now, &self.balancer(), old.dimension(), hosts, 0);
                });
            }
            if self.busy {
                self.request(&self.new, 200);
            }
            self.stage.world.advance(SignedDuration::from_mins(1));
            self.note();
        }
    }

    /// Notes whether a route names the old group.
    pub(super) fn note(&self) {
        let named =
            self.call("DescribeTargetGroups", &json!({}))["TargetGroups"].as_array().unwrap().iter().any(|group| {
                group["TargetGroupArn"] == *self.service.old_group
                    && group["LoadBalancerArns"].as_array().is_some_and(|arns| !arns.is_empty())
            });
        if named {
            self.seen.lock().unwrap().named_at = Some(self.stage.world.now());
        }
    }

    /// Calls the function that is due, once.
    pub(super) fn look(&mut self) -> Option<Result<RetirementCursor, ActionError>> {
        self.note();
        let (function, input) = (self.function, self.input.clone());
        let payload = json!({"cursor": input, "execution": "arn:aws:states:eu-west-1:1:execution:retire:1"});
        let broken = Broken {
            breakage: self.breakage,
            world: self.stage.world.clone(),
            ledger: self.stage.ledger.clone(),
            seen: self.seen.clone(),
            old: self.old(),
        };
        let answer = self.stage.alone(function, |ports| async move {
            let ports: Ports = broken.between(ports);
            match function {
                "check-idle" => check_idle::check_idle(&ports, &payload).await,
                "detach-target-group" => detach_target_group::detach_target_group(&ports, &payload).await,
                _ => delete_target_group::delete_target_group(&ports, &payload).await,
            }
        });
        match &answer {
            Some(Ok(cursor)) => self.goes_to(cursor),
            Some(Err(error)) => self.said.push(format!("{function}: {}", error.chain())),
            None => self.said.push(format!("{function} died")),
        }
        answer
    }

    fn goes_to(&mut self, cursor: &RetirementCursor) {
        let now = self.stage.world.now();
        self.said.push(format!("{now} {}: {:?} {}", self.function, cursor.verdict, cursor.reason));
        self.input = serde_json::to_value(cursor).unwrap();
        if cursor.verdict == RetireVerdict::Hook {
            if self.hook_fails {
                self.input["error"] = json!({"Error": "StillUsed", "Cause": "12 requests a minute"});
            } else {
                self.input["hookAnswer"] = json!({"Payload": "nobody calls"});
            }
        }
        self.function = match cursor.verdict {
            RetireVerdict::Detach => "detach-target-group",
            RetireVerdict::Delete => "delete-target-group",
            _ => "check-idle",
        };
    }

    /// What a person asks for, from another execution that takes over.
    pub(super) fn command(&mut self, request: Value) -> Option<Result<RetirementCursor, ActionError>> {
        self.input = request;
        self.input["service"] = json!("users");
        self.function = "check-idle";
        self.look()
    }

    /// Looks and waits as the machine does, until an end or an approval. An error of a class that the machine retries
    /// is retried.
    pub(super) fn run(&mut self) -> RetirementCursor {
        for _ in 0..MOST_LOOKS {
            match self.look() {
                Some(Ok(cursor)) if !cursor.verdict.goes_on() || cursor.verdict == RetireVerdict::Approval => {
                    return cursor;
                }
                Some(Ok(cursor)) => self.pass(cursor.wait_seconds.div_ceil(60).min(5)),
                Some(Err(error)) => {
                    let retried =
                        [ErrorClass::Transient, ErrorClass::Superseded, ErrorClass::LockHeld, ErrorClass::Denied];
                    assert!(retried.contains(&error.class()), "{}\n{:#?}", error.chain(), self.said);
                    self.pass(1);
                }
                None => self.pass(1),
            }
        }
        panic!("no end in {MOST_LOOKS} looks: {:#?}", self.said);
    }

    /// Approves the deletion wherever a run waits for it, and returns the end.
    pub(super) fn run_approving(&mut self) -> RetirementCursor {
        loop {
            let cursor = self.run();
            if cursor.verdict != RetireVerdict::Approval {
                return cursor;
            }
            assert_eq!(cursor.phase, Some(RetirementPhase::Deregistered), "{cursor:?}");
            let approved = self.command(json!({"command": "approveDeletion", "who": "ana"}));
            if let Some(Ok(cursor)) = approved
                && !cursor.verdict.goes_on()
            {
                return cursor;
            }
        }
    }

    /// The old side has all its targets and is in all its routes.
    #[track_caller]
    pub(super) fn assert_as_before(&self) {
        assert!(self.is_attached(), "the routes are not as the migration left them: {:#?}", self.said);
        assert_eq!(self.targets(), 2, "{:#?}", self.said);
        self.assert_unviolated();
        assert_eq!(self.stage.ledger.snapshot().held().count(), 0, "routes are locked: {:#?}", self.said);
    }

    #[track_caller]
    pub(super) fn assert_unviolated(&self) {
        let seen = self.seen.lock().unwrap();
        assert!(seen.violations.is_empty(), "{:#?}\n{:#?}", seen.violations, self.said);
    }

    pub(super) fn fault(&self, number: usize, fault: PortFault) {
        self.stage.calls.at(number, fault);
    }
}
