//! Fleets and windows.

use super::stage::{FLEET, FleetStage};
use crossfade_domain::fleet::head::RunState;
use crossfade_domain::journal::Phase;
use crossfade_world::states::Status;
use jiff::SignedDuration;
use serde_json::json;

/// Four services. Every run begins on a Monday at 03:00 UTC, which is 04:00 in Madrid.
fn fleet() -> FleetStage {
    let mut fleet = FleetStage::of_four(json!({"waveBake": "1m"}));
    fleet.policy["windows"] =
        json!({"timeZone": "Europe/Madrid", "open": [{"days": "Mon-Thu", "from": "09:30", "to": "16:00"}]});
    fleet.apply();
    fleet
}

#[test]
fn invariant_16_a_fleet_starts_nothing_before_its_window_opens_and_wakes_by_itself() {
    let mut fleet = fleet();
    let conductor = fleet.conduct();
    fleet.minutes(5 * 60);
    assert_eq!(fleet.migrations(), 0, "{}", fleet.told());
    let last = fleet.visits("Check fleet").last().unwrap().reason().to_owned();
    assert!(last.contains("closed until 09:30 Europe/Madrid") || last.contains("closed until Mon 09:30"), "{last}");
    fleet.run();
    assert_eq!(fleet.ended(&conductor).0, Status::Succeeded, "{}", fleet.told());
    let opens = "2026-11-02T08:30:00Z".parse().unwrap();
    let began = fleet.began("users").unwrap();
    assert!(began >= opens && began.duration_since(opens).as_secs() < 60, "{began}");
}

#[test]
fn invariant_16_a_freeze_of_two_weeks_ends_without_a_halt_and_within_the_history() {
    let mut fleet = fleet();
    fleet.policy["windows"]["freeze"] = json!([{"from": "2026-11-02", "to": "2026-11-15", "why": "a busy fortnight"}]);
    fleet.apply();
    let conductor = fleet.conduct();
    fleet.run();
    assert_eq!(fleet.ended(&conductor).0, Status::Succeeded, "{}", fleet.told());
    assert_eq!(fleet.states(), "users migrated, carts migrated, prices migrated, orders migrated");
    let newest = fleet.machines.with(|engine| engine.history(&conductor, true, 1, None).unwrap().elements.remove(0));
    assert!(newest.id < 5_000, "{} events", newest.id);
}

#[test]
fn a_freeze_that_is_applied_later_stops_the_next_starts_and_a_pause_stops_what_moves() {
    let mut fleet = FleetStage::of_four(json!({"waveBake": "1m"}));
    for service in fleet.policy["services"].as_array_mut().unwrap() {
        service["schedule"][0]["bake"] = json!("10m");
    }
    fleet.apply();
    fleet.conduct();
    fleet.minutes(5);
    let without_windows = fleet.policy.clone();
    fleet.policy["windows"] = json!({"timeZone": "UTC", "freeze": [{"from": "2026-11-01", "to": "2026-11-30"}]});
    fleet.apply();
    fleet.minutes(60);
    // Its plan has no windows, so it arrives.
    assert_eq!(fleet.states(), "users migrated, carts waiting, prices waiting, orders waiting", "{}", fleet.told());
    assert_eq!(fleet.migrations(), 1);

    fleet.policy = without_windows;
    fleet.apply();
    // A conductor that is closed for days looks every hour.
    for _ in 0..70 {
        if fleet.phase("prices").is_none() {
            fleet.minutes(1);
        }
    }
    fleet.minutes(2);
    assert_eq!((fleet.phase("carts"), fleet.raised("carts").len()), (Some(Phase::Moving), 1), "{}", fleet.told());
    fleet.command("pause");
    fleet.minutes(60);
    for service in ["carts", "prices"] {
        assert_eq!((fleet.phase(service), fleet.raised(service).len()), (Some(Phase::Moving), 1), "{service} is held");
    }
}

#[test]
fn a_person_may_start_a_fleet_while_it_is_closed() {
    let mut fleet = fleet();
    fleet.start_fleet("now", json!({"fleet": FLEET, "now": true, "reason": "the old cluster is on fire"}));
    fleet.minutes(10);
    assert_eq!(fleet.phase("users"), Some(Phase::Migrated), "{}", fleet.told());
    let said = fleet.lines().join("\n");
    assert!(said.contains("the old cluster is on fire"), "{said}");
}

#[test]
fn invariant_16_a_closed_window_stops_no_abort() {
    let mut fleet = fleet();
    fleet.policy["services"][0]["schedule"] = json!([{"weight": 5, "bake": "6h"}, {"weight": 100, "bake": "2h"}]);
    fleet.apply();
    fleet.conduct();
    // 10:00 in Madrid: users is at its first step. Then it closes at 16:00.
    fleet.minutes(13 * 60);
    assert_eq!(fleet.phase("users"), Some(Phase::Moving), "{}", fleet.told());
    fleet.command("abort");
    fleet.run();
    assert_eq!((fleet.fleet().state, fleet.phase("users")), (RunState::Over, Some(Phase::RolledBack)));
    assert!(fleet.is_at_baseline("users"));
}

#[test]
fn invariant_16_a_fleet_waits_for_a_calendar_and_for_one_that_cannot_be_read() {
    let mut fleet = FleetStage::of_four(json!({"waveBake": "1m"}));
    fleet.policy["windows"] = json!({"timeZone": "UTC", "calendars": ["change-freeze"]});
    fleet.apply();
    let conductor = fleet.conduct();
    fleet.minutes(2 * 60);
    assert_eq!(fleet.migrations(), 0, "{}", fleet.told());
    let last = fleet.visits("Check fleet").last().unwrap().reason().to_owned();
    assert!(last.contains("calendar change-freeze could not be read: "), "{last}");
    let opens = fleet.world.now() + SignedDuration::from_hours(3);
    fleet.world.with(|state| state.calendars.put_calendar("change-freeze", &[(state.now, opens)]));
    fleet.run();
    assert_eq!(fleet.ended(&conductor).0, Status::Succeeded, "{}", fleet.told());
    let began = fleet.began("users").unwrap();
    assert!(began >= opens && began.duration_since(opens).as_secs() < 60, "{began}");
    let looks = fleet.visits("Check fleet").len();
    let by_the_conductor = fleet.calls.numbers_by("check-fleet");
    let reads = fleet.calls.numbers_of("calendar").into_iter().filter(|read| by_the_conductor.contains(read)).count();
    assert!(reads <= looks, "{reads} reads in {looks} looks: one calendar of four services");
}
