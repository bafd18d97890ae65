//! What people, other systems and clients do to the account.

use super::account::Account;
use super::case::{PROBED, answer};
use super::ports::port_fault::PortFault;
use super::run::SimulatedRun;
use super::scenario::{Act, LATENCY, group_exists};
use super::watch::probes::rules_of_probes;
use super::wiring::{ROLL_BACK, named, service};
use crossfade_actions::error::{ActionError, ErrorClass};
use crossfade_actions::operator::commands;
use crossfade_actions::operator::observe::plan_in_force;
use crossfade_actions::operator::probe_from_here::{open_round, send_probes};
use crossfade_actions::operator::resume::{Resume, resume};
use crossfade_actions::ports::Ports;
use crossfade_domain::journal::{Head, Phase};
use crossfade_domain::names::TargetGroupArn;
use crossfade_world::cloudwatch::{Outcome, RequestRecord};
use crossfade_world::states::TaskError;
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::time::Duration;

const WHO: &str = "a person";
/// A target of every old group.
const LOST: (&str, u16) = ("i-0aaaaaaaaaaaaaaa1", 8080);
/// A target that an earlier attempt registered: a node of the new cluster, at a port that is another service's now.
const LEFT: (&str, u16) = ("i-0bbbbbbbbbbbbbbb1", 30090);

/// What a person asks for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Command {
    Abort,
    Pause,
    Resume { accept_drift: bool },
    SendProbes,
}

impl Command {
    /// As the log calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Abort | Self::Pause => "command",
            Self::Resume { .. } => "resume",
            Self::SendProbes => "probe-from-here",
        }
    }

    async fn give(self, ports: &Ports) -> Result<String, ActionError> {
        let commanded = |head: Head| format!("{:?}", head.commands);
        match self {
            Self::Abort => commands::command(ports, &service(), commands::Command::Abort, WHO).await.map(commanded),
            Self::Pause => commands::command(ports, &service(), commands::Command::Pause, WHO).await.map(commanded),
            Self::Resume { accept_drift } => {
                let request = Resume { accept_drift, who: WHO.to_owned() };
                resume(ports, &service(), &request).await.map(|resumed| resumed.head.execution)
            }
            Self::SendProbes => send(ports).await,
        }
    }

    /// Whether somebody who is told that there is no migration yet asks again.
    fn waits_for_a_migration(self) -> bool {
        matches!(self, Self::Abort | Self::Pause)
    }

    fn patience(self) -> Duration {
        match self {
            Self::Abort | Self::Pause => Duration::from_millis(500),
            Self::Resume { .. } => Duration::from_secs(10),
            Self::SendProbes => Duration::from_secs(5),
        }
    }
}

/// Asks until it is taken, as a person at the keyboard would.
pub(super) async fn command(ports: Ports, command: Command) -> Result<Value, TaskError> {
    for _ in 0..20 {
        match command.give(&ports).await {
            Ok(reason) => return Ok(json!({"verdict": "taken", "reason": reason})),
            Err(error) if command.waits_for_a_migration() && error.chain().contains("has no migration") => {}
            Err(error) if error.class() == ErrorClass::Transient => {}
            Err(error) => return Err(named(error.class().as_str(), &error.chain())),
        }
        ports.clock.pause(command.patience()).await;
    }
    Err(named("GaveUp", "the person gave up"))
}

/// One look of a command that sends probes. It looks again until the migration no longer waits for any.
async fn send(ports: &Ports) -> Result<String, ActionError> {
    let head = ports.ledger.head(&service()).await;
    let head = head.map_err(|source| ActionError::Ledger { doing: "reading the head".to_owned(), source })?;
    let Some(head) = head else { return Ok("no migration".to_owned()) };
    if head.phase != Phase::Moving || head.probed {
        return Ok("no probe is due".to_owned());
    }
    if open_round(&head).is_some() {
        let plan = plan_in_force(ports, &head).await?;
        send_probes(ports, &head, &plan, WHO).await?;
    }
    Err(ActionError::NotYet("it is followed to the end of its probes".to_owned()))
}

/// Does what a script says.
pub(super) fn act(run: &mut SimulatedRun, act: &Act) {
    let world = run.account.world.clone();
    match act {
        Act::NewSideFails => run.new_side_answers = 500,
        Act::NewSideRefuses => run.new_side_answers = 404,
        Act::FireAlarm(name) => world.fire_alarm(name),
        Act::QuietAlarm(name) => world.quiet_alarm(name),
        Act::DeleteAlarm(name) => world.delete_alarm(name),
        Act::Abort => run.command(Command::Abort),
        Act::Pause => run.command(Command::Pause),
        Act::Resume { accept_drift } => run.command(Command::Resume { accept_drift: *accept_drift }),
        Act::RollBack => {
            start_roll_back(run);
            run.stop(&run.execution.clone());
        }
        Act::RollBackTheMigrated => start_roll_back(run),
        Act::Stop => run.stop(&run.execution.clone()),
        Act::StartAgain => {
            let _second = run.start("second");
        }
        Act::StartAnew => run.execution = run.start("anew").expect("its name was never used"),
        Act::AddGroup(index) => {
            let other = run.account.watch().setup.other.clone();
            edit(run, *index, |route| world.someone_sets_weight(route, &other, 100).unwrap());
        }
        Act::TakeOtherOut(index) => {
            let other = run.account.watch().setup.other.clone();
            edit(run, *index, |route| world.someone_removes_group(route, &other).unwrap());
        }
        Act::SetNewWeight(index, weight) => {
            let new = our_group(&run.account);
            edit(run, *index, |route| world.someone_sets_weight(route, &new, *weight).unwrap());
        }
        Act::TakeNewOut(index) => {
            let new = our_group(&run.account);
            edit(run, *index, |route| world.someone_removes_group(route, &new).unwrap());
        }
        Act::TakeOldOut(index) => {
            let old = run.account.watch().setup.old[0].clone();
            edit(run, *index, |route| world.someone_removes_group(route, old.as_str()).unwrap());
        }
        Act::AddRule => {
            let old = run.account.watch().setup.old[0].clone();
            add_rule(run, old.as_str());
        }
        Act::AddRuleToNew => add_rule(run, &our_group(&run.account)),
        Act::DeleteRule => {
            let added = std::mem::take(&mut run.account.watch().setup.added);
            for rule in &added {
                world.someone_deletes_rule(rule).unwrap();
            }
        }
        Act::OldSideFails => {
            let old = run.account.watch().setup.old.clone();
            sicken(&run.account, &old);
        }
        Act::OldSideRecovers => {
            let old = run.account.watch().setup.old.clone();
            for group in &old {
                world.register_instances(group.as_str(), &[LOST.0], LOST.1);
            }
        }
        Act::OldSideLosesATarget => {
            let old = run.account.watch().setup.old.clone();
            for group in &old {
                let (id, port) = LOST;
                let input = json!({"TargetGroupArn": group, "Targets": [{"Id": id, "Port": port}]});
                world.with(|state| state.elbv2.call_json(state.now, "DeregisterTargets", &input)).unwrap();
                run.account.watch().sick(group, run.account.now());
            }
        }
        Act::FireAlarmElsewhere { account, region } => {
            let event = json!({
                "source": "aws.cloudwatch", "detail-type": "CloudWatch Alarm State Change", "account": account,
                "region": region, "time": run.account.now().to_string(), "resources": [],
                "detail": {"alarmName": LATENCY, "state": {"value": "ALARM", "reason": "it fires elsewhere"}},
            });
            run.send(&event, 0);
        }
        Act::RefuseInlinePolicies => run.refuses_inline_policies = true,
        Act::NeverAnswers(verb) => run.account.calls.always(verb, PortFault::Hangs),
        Act::ThrottleInvocations(minutes) => {
            run.throttled_until = Some(run.account.now() + SignedDuration::from_mins(*minutes));
        }
        Act::OutsideGate(does) => run.account.hooks.lock().unwrap().outside = Some(does.clone()),
        Act::EarlierTargetStays => {
            let new: Vec<_> = run.account.watch().groups().iter().cloned().collect();
            // A call that hung may have created one late, and someone else may have deleted it since.
            for group in new.iter().filter(|group| group_exists(&world, group.name())) {
                world.register_instances(group.as_str(), &[LEFT.0], LEFT.1);
                let input = json!({"TargetGroupArn": group, "HealthCheckPath": "/of-an-earlier-attempt"});
                world.with(|state| state.elbv2.call_json(state.now, "ModifyTargetGroup", &input)).unwrap();
            }
        }
        Act::SendProbes => run.command(Command::SendProbes),
        Act::DeleteProbeRules => delete_probe_rules(run),
        Act::NewSideAnswersOtherwise => answer_otherwise(&run.account),
        Act::NewSideSickens => {
            let new: Vec<_> = run.account.watch().groups().iter().cloned().collect();
            sicken(&run.account, &new);
        }
    }
}

fn answer_otherwise(account: &Account) {
    let mut watch = account.watch();
    watch.probes.differs = true;
    for group in watch.groups() {
        account.world.group_answers(group.name(), PROBED, vec![answer(r#"{"now": "{now}", "total": 2}"#)]);
    }
}

fn delete_probe_rules(run: &SimulatedRun) {
    let rules = rules_of_probes(&run.account.watch(), &run.account.world);
    for rule in rules {
        run.account.world.someone_deletes_rule(rule.id.as_str()).unwrap();
    }
}

fn start_roll_back(run: &SimulatedRun) {
    let now = run.account.now();
    // As little as the console needs.
    let input = json!({"service": "users"});
    let machines = &run.account.machines;
    machines.with(|states| states.start_execution(now, ROLL_BACK, Some("by-hand"), input)).unwrap();
}

fn add_rule(run: &SimulatedRun, group: &str) {
    let listener = run.account.watch().setup.listeners().into_iter().next().expect("a route is on a listener");
    let rule = run.account.world.someone_adds_rule(&listener, "/api/*", group).unwrap();
    run.account.watch().setup.added.push(rule);
}

fn sicken(account: &Account, groups: &[TargetGroupArn]) {
    for group in groups {
        account.world.make_unhealthy(group.as_str());
        account.watch().sick(group, account.now());
    }
}

fn our_group(account: &Account) -> String {
    let watch = account.watch();
    watch.groups().first().expect("the new group exists when a script edits it").as_str().to_owned()
}

fn edit(run: &SimulatedRun, index: usize, edit: impl FnOnce(&str)) {
    let account = &run.account;
    let route = account.watch().setup.routes[index].clone();
    edit(route.as_str());
    let live = account.live(&route).expect("the route is still there");
    account.tell(|| format!("          {}: {}", route.describe(), crossfade_domain::routing::drift::describe(&live)));
    account.watch().edited(&route, live, account.now());
}

/// A minute of requests, split as the routes are now; every target answers as its side does.
pub(super) fn minute_of_traffic(account: &Account, requests_a_minute: u32, new_side_answers: u16) {
    let watch = account.watch();
    account.world.with(|state| {
        for route in &watch.setup.routes {
            let weights = state.elbv2.weights(route.as_str());
            let total: u32 = weights.iter().map(|(_, weight)| weight).sum();
            for (group, weight) in weights.iter().filter(|_| total > 0) {
                let share = f64::from(*weight) / f64::from(total);
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few requests")]
                let requests = (f64::from(requests_a_minute) * share).round() as u32;
                let is_healthy = state.elbv2.judged_targets(group).iter().any(|(_, is_healthy)| *is_healthy);
                let outcome = match (is_healthy, watch.groups().iter().any(|ours| ours.as_str() == group)) {
                    (false, _) => Outcome::Target(503),
                    (true, true) => Outcome::Target(new_side_answers),
                    (true, false) => Outcome::Target(200),
                };
                state.cloudwatch.record_requests(state.now, &request(route.as_str(), group, outcome), requests);
            }
        }
    });
}

fn request(route: &str, group: &str, outcome: Outcome) -> RequestRecord {
    // `...:listener-rule/app/public/1/2/3` and `...:listener/app/public/1/2` are on `app/public/1`.
    let parts: Vec<&str> = route.rsplit(':').next().unwrap_or_default().split('/').collect();
    RequestRecord {
        load_balancer: parts[1..4].join("/"),
        target_group: group.rsplit(':').next().map(str::to_owned),
        outcome,
        latency_seconds: 0.02,
    }
}
