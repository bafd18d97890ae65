//! What stands between an alarm and a safe service when AWS does not answer, with the SDK's own retries in the way: it
//! spends up to 40 s on a read before an action hears that it failed.

use super::stage::{Stage, users};
use crate::simulation::PortFault;
use crossfade_domain::journal::Phase;
use jiff::SignedDuration;

/// The longest from an alarm's event until no route has traffic on the new side, with one kind of call without an
/// answer.
const SAFE_WITHIN: SignedDuration = SignedDuration::from_secs(10);

/// What a reaction to an alarm asks or tells AWS, next to the routes themselves.
const AROUND_THE_ROUTES: [&str; 9] =
    ["guarded_by", "head", "plan", "record", "health", "start_roll_back", "alarms", "firings", "events"];

/// `users` at 5 %, with one kind of call that always goes wrong from now on. Its alarm fires.
fn alarm_without(verb: &'static str, fault: PortFault) -> Stage {
    let (mut stage, _) = Stage::with_users_on(Stage::through_the_sdk());
    stage.migrate_until("Check alarms", users());
    stage.calls.always(verb, fault);
    stage.world.fire_alarm("users-5xx");
    stage
}

#[test]
fn invariant_6_an_alarm_is_safe_within_seconds_whatever_the_sdk_waits_for() {
    for fault in [PortFault::Hangs, PortFault::Throttled, PortFault::FailsBefore] {
        for verb in AROUND_THE_ROUTES {
            let mut stage = alarm_without(verb, fault);
            stage.run_for(SAFE_WITHIN);
            assert!(stage.is_at_baseline("users"), "{verb} {fault}\n{}", stage.told());
        }
    }
}

#[test]
fn invariant_6_what_the_sdk_waited_for_is_put_right_once_it_answers() {
    for verb in AROUND_THE_ROUTES {
        let mut stage = alarm_without(verb, PortFault::Hangs);
        stage.run_for(SAFE_WITHIN);
        stage.calls.clear();
        stage.run();
        assert_eq!(stage.head("users").phase, Phase::RolledBack, "{verb}\n{}", stage.told());
        stage.assert_at_rest("users");
    }
}
