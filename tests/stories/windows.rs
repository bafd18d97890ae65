//! Windows and freezes: what raises traffic waits for them, and nothing else does.

use super::stage::{Stage, users};
use crate::simulation::at_once;
use crossfade_actions::operator::commands::{Command, command};
use crossfade_domain::gates::checks::MOST_CHECKS;
use crossfade_domain::journal::cursor::NextStep;
use crossfade_domain::journal::{EventKind, Phase, Trigger};
use crossfade_domain::names::ServiceName;
use crossfade_world::states::Status;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

fn local(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).datetime().strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// A freeze that begins so many seconds from now.
fn freeze(stage: &Stage, after_seconds: i64, lasting: SignedDuration) -> (Value, Timestamp) {
    let from = stage.world.now() + SignedDuration::from_secs(after_seconds);
    let to = Timestamp::from_second((from + lasting).as_second()).unwrap();
    (
        json!({
            "timeZone": "UTC",
            "fit": "start",
            "freeze": [{ "from": local(from), "to": local(to), "why": "year end" }],
        }),
        to,
    )
}

fn with(windows: &Value, fields: &Value) -> Value {
    let mut policy = users();
    policy["service"]["windows"] = windows.clone();
    policy["service"].as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    policy
}

/// When the journal says that a step was verified.
fn shifted_at(stage: &Stage, wanted: u32) -> Timestamp {
    let at = stage.recorded("users", |event| match event.kind {
        EventKind::Shifted { step, .. } if step == wanted => Some(event.at),
        _ => None,
    });
    at[0]
}

fn closed_reasons(stage: &Stage) -> Vec<String> {
    stage.recorded("users", |event| match &event.kind {
        EventKind::Judged { verdict: NextStep::Closed, reason } => Some(reason.clone()),
        _ => None,
    })
}

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Between the first shift and the end of its bake.
const IN_THE_FIRST_BAKE: i64 = 100;

#[test]
fn invariant_16_a_freeze_of_two_weeks_holds_a_shift_and_ends_without_a_halt() {
    let (mut stage, _) = Stage::with_users();
    let (windows, opens) = freeze(&stage, IN_THE_FIRST_BAKE, DAY * 14);
    let execution = stage.migrate(with(&windows, &json!({ "maxHold": "1h" })));
    assert_eq!(stage.ended(&execution), (Status::Succeeded, String::new()), "{}", stage.told());
    stage.assert_at_rest("users");
    let late = shifted_at(&stage, 2).duration_since(opens);
    assert!(late >= SignedDuration::ZERO && late < SignedDuration::from_mins(1), "{late:#} after the opening");
    let reasons = closed_reasons(&stage);
    assert_eq!(reasons.len(), 1, "said once: {reasons:?}");
    assert!(reasons[0].contains("; window: closed until ") && reasons[0].contains("(freeze: year end)"), "{reasons:?}");
    let last = stage.machines.with(|engine| engine.history(&execution, true, 1, None).unwrap().elements[0].id);
    assert!(last < 20_000, "{last} events, and AWS fails an execution at 25,000");
    let checks = stage.visits("Check alarms").len();
    assert!(checks < usize::try_from(MOST_CHECKS).unwrap(), "{checks} checks");
}

#[test]
fn invariant_16_an_alarm_in_a_freeze_rolls_back_at_once() {
    let (mut stage, _) = Stage::with_users();
    let (windows, opens) = freeze(&stage, IN_THE_FIRST_BAKE, DAY);
    stage.before_checks(|check, world, _| {
        if check == 10 {
            world.fire_alarm("users-5xx");
        }
    });
    stage.migrate(with(&windows, &json!({})));
    stage.assert_at_rest("users");
    let rollback = stage.head("users").rollback.unwrap();
    assert!(rollback.returned_at.unwrap() < opens, "{}", stage.told());
}

#[test]
fn invariant_16_closed_time_does_not_count_towards_max_hold() {
    let (mut stage, _) = Stage::with_users();
    let (windows, opens) = freeze(&stage, IN_THE_FIRST_BAKE, DAY);
    let ports = stage.plain.clone();
    stage.once_before("Check alarms", move |_| {
        let users = ServiceName::parse("users").unwrap();
        at_once(command(&ports, &users, Command::Pause, "a test")).unwrap();
    });
    stage.migrate(with(&windows, &json!({ "maxHold": "1h" })));
    let head = stage.head("users");
    assert_eq!(head.phase, Phase::Halted, "{}", stage.told());
    let held_open = head.halted_at.unwrap().duration_since(opens);
    let (least, most) = (SignedDuration::from_mins(58), SignedDuration::from_mins(60));
    assert!(held_open > least && held_open < most, "halted {held_open:#} after the opening");
}

#[test]
fn invariant_16_a_start_waits_without_a_lock_and_starts_by_itself() {
    let (mut stage, _) = Stage::with_users();
    let (windows, opens) = freeze(&stage, -60, DAY * 3);
    let execution = stage.start("first", with(&windows, &json!({})));
    stage.run_for(DAY * 2);
    assert!(stage.heads().is_empty() && stage.ledger.snapshot().held().count() == 0, "{}", stage.told());
    stage.run();
    assert_eq!(stage.ended(&execution), (Status::Succeeded, String::new()), "{}", stage.told());
    assert!(stage.head("users").since >= opens);
    let looks = stage.visits("Plan migration").len();
    assert!(looks < 200, "{looks} looks");
}

#[test]
fn a_start_now_and_a_continue_now_do_not_wait_and_the_journal_says_why() {
    let said = |stage: &Stage| {
        stage.recorded("users", |event| match &event.kind {
            EventKind::Commanded { commands, reason } if commands.ignore_windows => Some(reason.clone()),
            _ => None,
        })
    };
    let (mut stage, _) = Stage::with_users();
    let (windows, opens) = freeze(&stage, -60, DAY);
    let mut input = with(&windows, &json!({}));
    input["now"] = json!(true);
    input["reason"] = json!("agreed with the duty manager");
    stage.migrate(input);
    assert_eq!(stage.head("users").phase, Phase::Migrated, "{}", stage.told());
    assert!(shifted_at(&stage, 2) < opens);
    assert_eq!(said(&stage), ["IgnoreWindows by whoever started execution first: agreed with the duty manager"]);

    let (mut stage, _) = Stage::with_users();
    let (windows, opens) = freeze(&stage, IN_THE_FIRST_BAKE, DAY);
    let (ports, mut checks) = (stage.plain.clone(), 0);
    stage.before(move |_, _, work, _| {
        checks += u32::from(work.state == "Check alarms");
        if checks == 10 {
            let users = ServiceName::parse("users").unwrap();
            at_once(command(&ports, &users, Command::IgnoreWindows, "ana: agreed")).unwrap();
        }
    });
    stage.migrate(with(&windows, &json!({})));
    assert_eq!(stage.head("users").phase, Phase::Migrated, "{}", stage.told());
    assert!(shifted_at(&stage, 2) < opens);
    assert_eq!(said(&stage), ["IgnoreWindows by ana: agreed"]);
}

#[test]
fn on_close_roll_back_returns_the_traffic_when_the_window_closes() {
    let (mut stage, _) = Stage::with_users();
    let (mut windows, _) = freeze(&stage, IN_THE_FIRST_BAKE, DAY);
    let closes = stage.world.now() + SignedDuration::from_secs(IN_THE_FIRST_BAKE);
    windows["onClose"] = json!("rollBack");
    stage.migrate(with(&windows, &json!({})));
    stage.assert_at_rest("users");
    let head = stage.head("users");
    let rollback = head.rollback.unwrap();
    assert_eq!((head.phase, rollback.trigger), (Phase::RolledBack, Trigger::CheckAlarms), "{}", stage.told());
    let late = rollback.begun_at.duration_since(closes);
    assert!(late < SignedDuration::from_secs(2), "{late:#} after the closing");
    assert!(rollback.cause.contains("(freeze: year end), and onClose is rollBack"), "{}", rollback.cause);
}

#[test]
fn a_window_that_closes_before_the_attach_holds_the_first_change() {
    let (mut stage, _) = Stage::with_users();
    let opens_in = SignedDuration::from_hours(2);
    let now = stage.world.now();
    let freeze = json!({ "from": local(now + SignedDuration::from_secs(1)), "to": local(now + opens_in) });
    let windows = json!({ "timeZone": "UTC", "fit": "start", "freeze": [freeze] });
    stage.once_before("Create target group", |world| world.advance(SignedDuration::from_secs(5)));
    stage.migrate(with(&windows, &json!({ "maxHold": "1h" })));
    assert_eq!(stage.head("users").phase, Phase::Migrated, "{}", stage.told());
    let attached = shifted_at(&stage, 0).duration_since(now);
    assert!(attached >= opens_in, "attached {attached:#} after the start");
}
