//! Closed windows. In UTC, second 0 is midnight of a Thursday.

use super::*;
use crate::gates::checks::MOST_CHECKS;
use crate::gates::window::{Waiting, closed_wait_seconds, start_wait_seconds};
use crate::windows::CalendarState;

const DAY: u32 = 24 * 3_600;

/// The scene, whose bake of 600 seconds is over at second 1600, with these windows.
fn at(now: u32, windows: &serde_json::Value) -> Scene {
    let policy = json!({
        "name": "users", "oldTargetGroups": "old", "newTargets": { "instances": ["i-1", "i-2"] },
        "schedule": [{ "weight": 100, "bake": "1m" }], "windows": windows,
    });
    let mut scene = Scene::new();
    scene.plan.policy.windows = decode_service(&policy).unwrap().windows;
    scene.now = now;
    scene
}

/// Open from 00:00 to 00:25, second 1500, and from 01:00 to 02:00.
fn hours(on_close: &str) -> serde_json::Value {
    json!({
        "timeZone": "UTC", "onClose": on_close,
        "open": [{ "from": "00:00", "to": "00:25" }, { "from": "01:00", "to": "02:00" }],
    })
}

#[test]
fn invariant_16_a_step_waits_for_a_window_and_is_taken_when_it_opens() {
    let closed = at(1700, &hours("hold")).verdict();
    assert_eq!((closed.verdict, closed.gate, closed.wait_seconds), (NextStep::Closed, Gate::Window, 900));
    let why = "baked 10m at 5 %; window: closed until Thu 01:00 UTC (outside the open hours)";
    assert_eq!(closed.reason, why);
    assert_eq!(at(3000, &hours("hold")).verdict().wait_seconds, 600, "it wakes at the opening");
    let open = at(3600, &hours("hold")).verdict();
    assert_eq!((open.verdict, open.reason.as_str()), (NextStep::Advance, "baked 10m at 5 %, on to 50 %"));
    // The bake of ten minutes would end after the window does.
    let late = at(7000, &hours("hold")).verdict();
    let why = "baked 10m at 5 %; window: closes at Thu 02:00 UTC, before a bake of 10m would end; a bake of 10m fits \
               from Fri 00:00 UTC";
    assert_eq!((late.verdict, late.reason.as_str()), (NextStep::Closed, why));
}

#[test]
fn a_bake_and_the_end_ask_for_no_window() {
    let mut baking = at(1550, &hours("hold"));
    assert_eq!(baking.verdict().verdict, NextStep::Bake);
    baking.now = 1700;
    baking.head.verified_step = Some(3);
    assert_eq!(baking.verdict().verdict, NextStep::Finish);
    let mut begun = at(1700, &hours("hold"));
    begun.head.intended_step = Some(2);
    assert_eq!(begun.verdict().verdict, NextStep::Advance, "half of a shift is no place to wait");
}

#[test]
fn invariant_16_no_window_stops_a_rollback() {
    let mut scene = at(1700, &hours("hold"));
    scene.fire(1650);
    assert_eq!(scene.verdict().verdict, NextStep::RollBack);
    let mut scene = at(1700, &hours("hold"));
    scene.head.commands.abort = true;
    assert_eq!(scene.verdict().verdict, NextStep::RollBack);
}

#[test]
fn invariant_16_closed_time_does_not_count_towards_max_hold() {
    let paused = |since: u32, now: u32| {
        let mut scene = at(now, &hours("hold"));
        scene.head.commands.paused = true;
        scene.head.held_since = Some(second(since));
        scene.verdict()
    };
    // Held since 00:20: five minutes before the window closes. 55 minutes after it opens, `maxHold` of 1h is over.
    assert_eq!((paused(1200, 3000).verdict, paused(1200, 3000).wait_seconds), (NextStep::Hold, 600));
    let last = paused(1200, 3600 + 3299);
    assert_eq!((last.verdict, last.wait_seconds), (NextStep::Hold, 1));
    let over = paused(1200, 3600 + 3300);
    assert_eq!(over.verdict, NextStep::Halt);
    assert_eq!(over.reason, "held for 1h (maxHold is 1h): operator: paused until continue");
    // It has used up all of it, and the window is closed: it halts at the opening, and looks rarely until then.
    let closed = paused(3600, 7300);
    assert_eq!((closed.verdict, closed.wait_seconds), (NextStep::Hold, 900));
}

#[test]
fn on_close_roll_back_returns_what_has_not_reached_its_last_step() {
    let rolled_back = at(1500, &hours("rollBack")).verdict();
    assert_eq!((rolled_back.verdict, rolled_back.gate), (NextStep::RollBack, Gate::Window));
    let why = "window: closed until Thu 01:00 UTC (outside the open hours), and onClose is rollBack";
    assert_eq!((rolled_back.reason.as_str(), rolled_back.trigger), (why, Some(Trigger::CheckAlarms)));
    // The check before comes at the closing.
    let before = at(1490, &hours("rollBack")).verdict();
    assert_eq!((before.verdict, before.wait_seconds), (NextStep::Bake, 10));
    let mut attached = at(1700, &hours("rollBack"));
    attached.head.verified_step = Some(0);
    assert_ne!(attached.verdict().verdict, NextStep::RollBack, "nothing is on the new side");
    let mut last = at(1700, &hours("rollBack"));
    last.head.verified_step = Some(3);
    assert_eq!(last.verdict().verdict, NextStep::Finish, "nothing is left to raise");
    let mut ignored = at(1700, &hours("rollBack"));
    ignored.head.commands.ignore_windows = true;
    assert_eq!(ignored.verdict().verdict, NextStep::Advance);
}

/// The scene at second 1700 with a calendar in this state.
fn with_calendar(on_close: &str, state: CalendarState) -> Scene {
    let mut scene = at(1700, &json!({ "timeZone": "UTC", "calendars": ["change-freeze"], "onClose": on_close }));
    scene.calendars = [("change-freeze".to_owned(), state)].into_iter().collect();
    scene
}

fn closed_until(until: Option<u32>) -> CalendarState {
    CalendarState::Closed { until: until.map(second) }
}

fn unreadable() -> CalendarState {
    CalendarState::Unreadable("throttled".to_owned())
}

#[test]
fn invariant_16_a_step_waits_for_a_calendar_and_looks_again_where_its_end_is_not_known() {
    let closed = with_calendar("hold", closed_until(Some(2000))).verdict();
    assert_eq!((closed.verdict, closed.gate, closed.wait_seconds), (NextStep::Closed, Gate::Window, 300));
    let why = "baked 10m at 5 %; window: closed until Thu 00:33 UTC (calendar change-freeze)";
    assert_eq!(closed.reason, why);
    for state in [closed_until(None), unreadable()] {
        let closed = with_calendar("hold", state).verdict();
        assert_eq!((closed.verdict, closed.wait_seconds), (NextStep::Closed, 900));
    }
    let open = with_calendar("hold", CalendarState::Open { until: None }).verdict();
    assert_eq!(open.verdict, NextStep::Advance);
    // The bake of the next step would not end before the calendar closes.
    let late = with_calendar("hold", CalendarState::Open { until: Some(second(2000)) }).verdict();
    assert_eq!(late.verdict, NextStep::Closed);
    let mut ignored = with_calendar("hold", unreadable());
    ignored.head.commands.ignore_windows = true;
    assert_eq!(ignored.verdict().verdict, NextStep::Advance);
}

#[test]
fn invariant_6_no_calendar_stops_a_rollback() {
    for state in [closed_until(None), closed_until(Some(2000)), unreadable()] {
        let mut scene = with_calendar("hold", state.clone());
        scene.fire(1650);
        assert_eq!(scene.verdict().verdict, NextStep::RollBack);
        let mut scene = with_calendar("hold", state);
        scene.head.commands.abort = true;
        assert_eq!(scene.verdict().verdict, NextStep::RollBack);
    }
}

#[test]
fn a_calendar_rolls_back_only_where_it_is_known_to_be_closed() {
    let closed = with_calendar("rollBack", closed_until(None)).verdict();
    assert_eq!((closed.verdict, closed.gate), (NextStep::RollBack, Gate::Window));
    assert_eq!(with_calendar("rollBack", unreadable()).verdict().verdict, NextStep::Closed);
    let mut both = with_calendar("rollBack", unreadable());
    both.plan.policy.windows.as_mut().unwrap().open = at(0, &hours("hold")).plan.policy.windows.unwrap().open;
    assert_eq!(both.verdict().verdict, NextStep::RollBack, "the open hours are over");
    let mut baking = with_calendar("rollBack", CalendarState::Open { until: Some(second(1590)) });
    baking.now = 1550;
    assert_eq!(baking.verdict().wait_seconds, 40, "the next check comes at the closing");
}

#[test]
fn an_operator_can_override_the_windows() {
    let mut scene = at(1700, &hours("hold"));
    scene.head.commands.ignore_windows = true;
    assert_eq!(scene.verdict().verdict, NextStep::Advance);
}

#[test]
fn a_long_freeze_takes_few_checks() {
    let policy = Scene::new().plan.policy;
    let waits = |exposed, days: u32, mut checks: u32| {
        let (mut now, begun) = (0, checks);
        while now < days * DAY {
            let waiting = Waiting { now: second(now), exposed, checks };
            now += closed_wait_seconds(&policy, waiting, Some(second(days * DAY)));
            checks += 1;
        }
        assert_eq!(now, days * DAY, "it wakes at the opening");
        checks - begun
    };
    assert_eq!(waits(true, 1, 0), 96, "a quarter of an hour apart");
    assert_eq!(waits(true, 14, 40), 14 * 96);
    assert!(waits(false, 14, 0) < 14 * 24 + 4 * 24, "an hour apart until the last day");
    for days in [14, 60, 300] {
        assert!(40 + waits(true, days, 40) < MOST_CHECKS - 400, "{days} days at {}", waits(true, days, 40));
    }
    let starts = |days: u32| {
        let (mut now, mut looks) = (0, 0);
        while now < days * DAY {
            now += start_wait_seconds(second(now), Some(second(days * DAY)));
            looks += 1;
        }
        looks
    };
    assert!(starts(1) == 96 && starts(14) < 500 && starts(365) < 2_000, "{}", starts(365));
}
