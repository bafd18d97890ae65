//! Halted migrations that go on.

use super::stage::{Stage, users};
use crate::simulation::PortFault;
use crossfade_actions::error::{ActionError, ErrorClass};
use crossfade_actions::operator::resume::{Resume, Resumed, resume};
use crossfade_domain::journal::{EventKind, Phase};
use crossfade_domain::names::ServiceName;
use crossfade_world::states::Status;
use crossfade_world::world::ServiceOnBalancer;
use jiff::SignedDuration;
use serde_json::json;

/// A migration that somebody halted at 5 % by an edit of its first route: a third group, a third of the traffic.
struct Halted {
    stage: Stage,
    service: ServiceOnBalancer,
    other: String,
    execution: String,
}

fn halted() -> Halted {
    let (mut stage, service) = Stage::with_users();
    let other = stage.world.add_service("internal", "other", &[]).old_group;
    let (route, group) = (service.rules[0].clone(), other.clone());
    stage.once_before("Check alarms", move |world| world.someone_sets_weight(&route, &group, 500).unwrap());
    let execution = stage.migrate(users());
    assert_eq!((stage.head("users").phase, stage.head("users").verified_step), (Phase::Halted, Some(1)));
    // Until whoever was writing is dead.
    stage.world.advance(SignedDuration::from_secs(90));
    Halted { stage, service, other, execution }
}

impl Halted {
    fn put_back(&self) {
        self.stage.world.someone_removes_group(&self.service.rules[0], &self.other).unwrap();
    }

    fn resume(&self, accept_drift: bool) -> Result<Resumed, ActionError> {
        let request = Resume { accept_drift, who: "ana".to_owned() };
        let users = ServiceName::parse("users").unwrap();
        self.stage
            .alone("resume", |ports| async move { resume(&ports, &users, &request).await })
            .expect("nothing hangs")
    }

    fn refused(&self, accept_drift: bool) -> (&'static str, String) {
        let before = self.stage.ledger.snapshot();
        let error = self.resume(accept_drift).unwrap_err();
        assert_eq!(self.stage.ledger.snapshot(), before, "a refusal writes nothing");
        (error.class().as_str(), error.chain())
    }

    fn weights(&self) -> Vec<(String, u32)> {
        self.stage.world.weights_of(&self.service.rules[0])
    }

    fn ends(&mut self, phase: Phase) {
        self.stage.run();
        assert_eq!(self.stage.head("users").phase, phase, "{}", self.stage.told());
        self.stage.assert_at_rest("users");
    }
}

#[test]
fn a_route_that_was_put_back_lets_the_migration_go_on_at_its_step() {
    let mut halted = halted();
    halted.put_back();
    let events = halted.stage.events("users").len();
    let resumed = halted.resume(false).unwrap();
    assert_eq!((resumed.head.generation, resumed.head.plan_revision), (2, None));
    assert!(resumed.head.execution.ends_with(":users-1-resume-2"), "{}", resumed.head.execution);
    halted.ends(Phase::Migrated);
    assert_eq!(halted.stage.ended(&resumed.head.execution).0, Status::Succeeded);
    let since = halted.stage.events("users").split_off(events);
    let again = |event: &crossfade_domain::journal::Event| matches!(event.kind, EventKind::Shifted { step: 0 | 1, .. });
    assert!(!since.iter().any(again), "nothing is done twice: {since:#?}");
}

#[test]
fn drift_that_is_not_accepted_refuses_and_says_what_to_do() {
    let halted = halted();
    let (class, text) = halted.refused(false);
    assert_eq!(class, "Drifted");
    let route = halted.stage.plan("users").routes[0].named();
    for part in [route.as_str(), "expected users-swarm 950", "other 500", "acceptDrift", "users-1 stays halted"] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
}

#[test]
fn accepted_drift_is_the_baseline_from_then_on() {
    let mut halted = halted();
    let resumed = halted.resume(true).unwrap();
    assert_eq!((resumed.head.plan_revision, resumed.accepted.len()), (Some(2), 1));
    halted.ends(Phase::Migrated);
    let weights = halted.weights();
    // 950 and 50 of 1,500 were ours to move, 500 are not.
    let share = |group: &str| weights.iter().find(|(name, _)| name == group).map(|(_, weight)| *weight);
    assert_eq!(share(&halted.service.old_group), Some(0), "{weights:?}");
    assert_eq!(share(&halted.stage.new_group("users", &halted.service.old_group)), Some(999), "{weights:?}");
    assert_eq!(share(&halted.other), Some(500), "{weights:?}");
}

#[test]
fn a_rollback_after_accepted_drift_returns_to_what_was_accepted() {
    let mut halted = halted();
    halted.resume(true).unwrap();
    halted.stage.once_before("Check alarms", |world| world.fire_alarm("users-5xx"));
    halted.ends(Phase::RolledBack);
    assert_eq!(halted.weights(), [(halted.service.old_group.clone(), 999), (halted.other.clone(), 500)]);
}

#[test]
fn nothing_is_accepted_while_a_writer_of_before_the_halt_may_live() {
    let halted = halted();
    let mut items = halted.stage.ledger.snapshot();
    items.heads.values_mut().next().unwrap().halted_at = Some(halted.stage.plain.clock.now());
    halted.stage.ledger.restore(items);
    let (class, text) = halted.refused(true);
    assert_eq!(class, "Transient");
    let seconds = text.split_once("users-1 halted may still be alive; try again in ").unwrap().1;
    let seconds: u32 = seconds.strip_suffix(" s to accept what others did to routes").unwrap().parse().unwrap();
    assert!((80..=91).contains(&seconds), "{text}");
}

#[test]
fn the_console_resumes_too() {
    let mut halted = halted();
    let execution = halted.stage.start("by-hand", json!({"service": "users", "resume": true, "acceptDrift": true}));
    halted.ends(Phase::Migrated);
    assert_eq!((halted.stage.head("users").execution, halted.stage.head("users").generation), (execution, 2));
}

#[test]
fn the_console_is_refused_as_the_command_is_and_the_migration_stays_halted() {
    let mut halted = halted();
    let execution = halted.stage.start("by-hand", json!({"service": "users", "resume": true}));
    halted.stage.run();
    assert_eq!(halted.stage.ended(&execution), (Status::Failed, "Refused".to_owned()), "{}", halted.stage.told());
    let head = halted.stage.head("users");
    assert_eq!((head.phase, head.generation, head.execution), (Phase::Halted, 1, halted.execution.clone()));
}

#[test]
fn a_crash_before_the_start_is_repaired_by_resuming_again() {
    let mut halted = halted();
    halted.put_back();
    halted.stage.calls.always("start_resumed", PortFault::FailsBefore);
    assert_eq!(halted.resume(false).unwrap_err().class(), ErrorClass::Transient);
    halted.stage.calls.clear();
    let resumed = halted.resume(false).unwrap();
    assert_eq!(resumed.head.generation, 2, "recorded once");
    halted.resume(false).unwrap();
    halted.ends(Phase::Migrated);
}

#[test]
fn a_resume_that_never_came_to_its_start_is_rolled_back_by_the_sweep() {
    let mut halted = halted();
    halted.put_back();
    halted.stage.calls.always("start_resumed", PortFault::FailsBefore);
    halted.resume(false).unwrap_err();
    halted.stage.calls.clear();
    halted.stage.world.advance(SignedDuration::from_secs(60));
    halted.stage.call("sweep-migrations", &json!({"source": "aws.events"}));
    assert_eq!(halted.stage.head("users").phase, Phase::Moving, "it may yet be started");
    halted.ends(Phase::RolledBack);
}

#[test]
fn everything_that_stands_against_a_resume_is_named_at_once() {
    let halted = halted();
    halted.put_back();
    halted.stage.world.delete_alarm("users-5xx");
    halted.stage.world.make_unhealthy(&halted.service.old_group);
    let (class, text) = halted.refused(false);
    assert_eq!(class, "InvalidRequest");
    assert!(text.contains("alarm users-5xx does not exist") && text.contains("users-swarm"), "{text}");
}

#[test]
fn an_alarm_that_fired_meanwhile_refuses_even_when_it_is_quiet_again() {
    let mut halted = halted();
    halted.put_back();
    halted.stage.lose_alarm_events();
    halted.stage.world.fire_alarm("users-5xx");
    assert!(halted.refused(false).1.contains("has been firing since"));
    halted.stage.world.quiet_alarm("users-5xx");
    assert!(halted.refused(false).1.contains("fired at"));
}

#[test]
fn a_halt_in_a_rollback_is_never_resumed_upward() {
    let halted = halted();
    halted.stage.calls.always("write_route", PortFault::Denied);
    let act = json!({"cursor": {"service": "users", "cause": "slow"}, "execution": "by-hand", "mode": "act"});
    assert_eq!(halted.stage.call("roll-back", &act).unwrap().unwrap()["verdict"], "halt");
    halted.stage.calls.clear();
    let (class, text) = halted.refused(true);
    assert_eq!(class, "InvalidRequest");
    assert!(text.contains("roll-back-service") && text.contains(r#"{"service": "users"}"#), "{text}");
}

#[test]
fn what_goes_on_already_and_what_is_over_is_not_resumed() {
    let mut halted = halted();
    halted.put_back();
    let execution = halted.stage.start("by-hand", json!({"service": "users", "resume": true}));
    halted.stage.undisturbed();
    let work = halted.stage.machines.with(|engine| engine.due_work(halted.stage.world.now()));
    let answer = halted.stage.call("plan-migration", &work[0].payload).unwrap().unwrap();
    assert_eq!((&answer["verdict"], &answer["step"]), (&json!("advance"), &json!(1)));
    let (class, text) = halted.refused(false);
    assert_eq!((class, text.contains(&execution)), ("LockHeld", true), "{text}");
    let now = halted.stage.world.now();
    halted.stage.machines.with(|engine| engine.task_done(now, work[0].task, Ok(answer)));
    halted.ends(Phase::Migrated);
    assert!(halted.refused(false).1.contains("is over"));
}
