//! Windows and freezes: what raises traffic waits for them, and nothing else does.

use super::stage::{Stage, users};
use crate::simulation::{PortFault, at_once};
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

const CALENDAR: &str = "change-freeze";

fn calendar() -> Value {
    json!({ "timeZone": "UTC", "fit": "start", "calendars": [CALENDAR] })
}

/// Closes the calendar from so many seconds after now on, and returns when it opens.
fn close(stage: &Stage, after_seconds: i64, lasting: SignedDuration) -> Timestamp {
    let from = stage.world.now() + SignedDuration::from_secs(after_seconds);
    stage.world.with(|state| state.calendars.put_calendar(CALENDAR, &[(from, from + lasting)]));
    from + lasting
}

#[test]
fn invariant_16_a_calendar_holds_a_shift_until_it_opens_and_max_hold_does_not_count() {
    let (mut stage, _) = Stage::with_users();
    let opens = close(&stage, IN_THE_FIRST_BAKE, DAY);
    stage.migrate(with(&calendar(), &json!({ "maxHold": "1h" })));
    assert_eq!(stage.head("users").phase, Phase::Migrated, "{}", stage.told());
    let late = shifted_at(&stage, 2).duration_since(opens);
    assert!(late >= SignedDuration::ZERO && late < SignedDuration::from_mins(1), "{late:#} after the opening");
    let reasons = closed_reasons(&stage);
    assert!(
        reasons.len() == 1
            && reasons[0].contains("; window: closed until ")
            && reasons[0].contains(" UTC (calendar change-freeze)"),
        "{reasons:?}"
    );
}

#[test]
fn invariant_16_someone_who_closes_a_calendar_stops_a_migration_that_is_under_way() {
    let (mut stage, _) = Stage::with_users();
    close(&stage, 0, SignedDuration::ZERO);
    stage.before_checks(|check, world, _| {
        let forever = (world.now(), Timestamp::MAX);
        match check {
            1 => world.with(|state| state.calendars.put_calendar(CALENDAR, &[forever])),
            9 => world.with(|state| state.calendars.put_calendar(CALENDAR, &[])),
            _ => {}
        }
    });
    let began = stage.world.now();
    stage.migrate(with(&calendar(), &json!({})));
    assert_eq!(stage.head("users").phase, Phase::Migrated, "{}", stage.told());
    // A calendar that announces no opening is looked at every quarter of an hour.
    let took = shifted_at(&stage, 2).duration_since(began);
    assert!(took > SignedDuration::from_mins(75) && took < SignedDuration::from_mins(120), "{took:#}");
}

#[test]
fn invariant_6_a_closed_or_unreadable_calendar_stops_no_rollback() {
    let spoil: [fn(&Stage); 4] = [
        |stage| _ = close(stage, IN_THE_FIRST_BAKE, DAY),
        |stage| stage.world.with(|state| state.calendars.put_document(CALENDAR)),
        |stage| stage.calls.always("calendar", PortFault::Denied),
        |stage| stage.calls.always("calendar", PortFault::Hangs),
    ];
    for (case, spoil) in spoil.into_iter().enumerate() {
        for event_is_lost in [false, true] {
            let (mut stage, _) = Stage::with_users();
            close(&stage, 0, SignedDuration::ZERO);
            if event_is_lost {
                stage.lose_alarm_events();
            }
            // The first bake has begun: until then the calendar has to be open.
            stage.start("first", with(&calendar(), &json!({})));
            stage.run_for(SignedDuration::from_secs(90));
            spoil(&stage);
            stage.world.fire_alarm("users-5xx");
            let fired = stage.world.now();
            stage.run();
            stage.assert_at_rest("users");
            let head = stage.head("users");
            assert_eq!(head.phase, Phase::RolledBack, "case {case}\n{}", stage.told());
            let took = head.rollback.unwrap().returned_at.unwrap().duration_since(fired);
            assert!(took < SignedDuration::from_mins(2), "case {case}: {took:#}");
            let reads = stage.calls.numbers_of("calendar");
            for function in ["roll-back", "react-to-alarm", "sweep-migrations"] {
                let by = stage.calls.numbers_by(function);
                assert!(by.iter().all(|number| !reads.contains(number)), "{function} reads a calendar");
            }
        }
    }
}

#[test]
fn on_close_roll_back_acts_on_a_closed_calendar_and_not_on_an_unreadable_one() {
    for (fault, ends) in [(None, Phase::RolledBack), (Some(PortFault::Throttled), Phase::Migrated)] {
        let (mut stage, _) = Stage::with_users();
        close(&stage, 0, SignedDuration::ZERO);
        stage.before_checks(move |check, world, calls| match (check, fault) {
            (2, None) => {
                world.with(|state| state.calendars.put_calendar(CALENDAR, &[(state.now, Timestamp::MAX)]));
            }
            (2, Some(fault)) => calls.always("calendar", fault),
            (6, _) => calls.clear(),
            _ => {}
        });
        let mut windows = calendar();
        windows["onClose"] = json!("rollBack");
        stage.migrate(with(&windows, &json!({})));
        assert_eq!(stage.head("users").phase, ends, "{}", stage.told());
    }
}

#[test]
fn invariant_16_a_start_waits_while_its_calendar_cannot_be_read_and_says_what_to_do() {
    let (mut stage, _) = Stage::with_users();
    let execution = stage.start("first", with(&calendar(), &json!({})));
    stage.run_for(SignedDuration::from_hours(2));
    assert!(stage.heads().is_empty() && stage.ledger.snapshot().held().count() == 0, "{}", stage.told());
    let reason = stage.visits("Plan migration").last().unwrap().reason().to_owned();
    let missing = "calendar change-freeze could not be read: GetCalendarState: change-freeze does not exist; create it \
                   in this region, or take it out of windows.calendars";
    assert!(reason.contains(missing), "{reason}");
    let created = stage.world.now();
    close(&stage, 0, SignedDuration::ZERO);
    stage.run();
    assert_eq!(stage.ended(&execution), (Status::Succeeded, String::new()), "{}", stage.told());
    assert!(stage.head("users").since.duration_since(created) <= SignedDuration::from_mins(15));
}

#[test]
fn each_look_reads_each_calendar_once_and_only_where_the_policy_names_one() {
    let (mut stage, _) = Stage::with_users();
    let (windows, _) = freeze(&stage, -600, SignedDuration::from_mins(1));
    stage.migrate(with(&windows, &json!({})));
    assert_eq!(stage.calls.numbers_of("calendar").len(), 0);

    let (mut stage, _) = Stage::with_users();
    let now = json!({ "now": true, "reason": "agreed" });
    let mut input = with(&calendar(), &json!({}));
    input.as_object_mut().unwrap().extend(now.as_object().unwrap().clone());
    stage.migrate(input);
    assert_eq!(stage.head("users").phase, Phase::Migrated, "{}", stage.told());
    assert_eq!(stage.calls.numbers_of("calendar").len(), 0, "an operator has overridden the windows");

    let (mut stage, _) = Stage::with_users();
    for name in [CALENDAR, "another"] {
        stage.world.with(|state| state.calendars.put_calendar(name, &[]));
    }
    let windows = json!({ "timeZone": "UTC", "calendars": [CALENDAR, "another"] });
    stage.migrate(with(&windows, &json!({})));
    assert_eq!(stage.head("users").phase, Phase::Migrated, "{}", stage.told());
    // A start, the attach and two shifts, and each check.
    let looks = 1 + 3 + stage.visits("Check alarms").len();
    assert_eq!(stage.calls.numbers_of("calendar").len(), 2 * looks, "{}", stage.told());
}
