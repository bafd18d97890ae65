//! The alarms' opinion.

use crate::alarms::alarm::AlarmState;
use crate::alarms::quiet::{AlarmsRead, Objection, objections};
use crate::opinion::{Gate, Opinion, Vote};
use jiff::Timestamp;

/// Votes as the alarms demand. An alarm that fires, or fired at or after `since`, rolls back even if it is quiet again.
/// One that is gone holds, since it would never fire. One without data is mentioned, and rolls back nothing by itself.
pub fn alarms_opinion(wanted: &[String], read: &AlarmsRead, since: Timestamp) -> Opinion {
    let objections = objections(wanted, read, since);
    if let Some(caused_at) = objections.iter().filter_map(Objection::at).min() {
        let reasons = objections.iter().filter_map(|objection| match objection {
            Objection::Firing { name, reason, .. } => Some(format!("{name} is firing: {reason}")),
            Objection::Fired { name, at } => Some(format!("{name} fired at {at} and is quiet again")),
            Objection::Missing { .. } => None,
        });
        let reason = reasons.collect::<Vec<_>>().join(", ");
        return Opinion { gate: Gate::Alarms, vote: Vote::RollBack, reason, caused_at: Some(caused_at) };
    }
    let missing = objections.iter().filter_map(|objection| match objection {
        Objection::Missing { name } => Some(name.as_str()),
        Objection::Firing { .. } | Objection::Fired { .. } => None,
    });
    let missing: Vec<&str> = missing.collect();
    if !missing.is_empty() {
        let reason = format!("{} no longer exists, so nothing guards this step", missing.join(", "));
        return Opinion::new(Gate::Alarms, Vote::Hold, reason);
    }
    let without_data = read.found.iter().filter(|alarm| alarm.state == AlarmState::InsufficientData);
    let silent: Vec<&str> = without_data
        .map(|alarm| alarm.name.as_str())
        .filter(|name| wanted.iter().any(|wanted| wanted == name))
        .collect();
    let reason = if silent.is_empty() { String::new() } else { format!("{} without data", silent.join(", ")) };
    Opinion::new(Gate::Alarms, Vote::GoOn, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarms::alarm::{Alarm, Firing};

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn alarm(name: &str, state: AlarmState) -> Alarm {
        Alarm { name: name.into(), state, since: second(50), reason: "2 of 3".into(), actions_enabled: true }
    }

    #[track_caller]
    fn check(found: &[Alarm], firings: &[(&str, i64)], vote: Vote, reason: &str, caused_at: Option<i64>) {
        let firings = firings.iter().map(|(name, at)| Firing { name: (*name).into(), at: second(*at) }).collect();
        let read = AlarmsRead { found: found.to_vec(), firings };
        let opinion = alarms_opinion(&["a".into(), "b".into()], &read, second(10));
        assert_eq!((opinion.vote, opinion.reason.as_str()), (vote, reason));
        assert_eq!(opinion.caused_at, caused_at.map(second));
    }

    #[test]
    fn quiet_alarms_say_nothing() {
        check(&[alarm("b", AlarmState::Ok), alarm("a", AlarmState::Ok)], &[], Vote::GoOn, "", None);
        let other = alarm("c", AlarmState::Alarm);
        check(&[alarm("b", AlarmState::Ok), alarm("a", AlarmState::Ok), other], &[("c", 20)], Vote::GoOn, "", None);
    }

    #[test]
    fn a_firing_alarm_rolls_back_and_so_does_one_that_fired_and_cleared() {
        let quiet = [alarm("a", AlarmState::Ok), alarm("b", AlarmState::Ok)];
        check(
            &[alarm("a", AlarmState::Ok), alarm("b", AlarmState::Alarm)],
            &[("b", 50)],
            Vote::RollBack,
            "b is firing: 2 of 3",
            Some(50),
        );
        check(
            &quiet,
            &[("a", 30), ("a", 20)],
            Vote::RollBack,
            "a fired at 1970-01-01T00:00:20Z and is quiet again",
            Some(20),
        );
        check(&quiet, &[("a", 9)], Vote::GoOn, "", None);
        check(
            &[alarm("a", AlarmState::Alarm), alarm("b", AlarmState::InsufficientData)],
            &[("b", 10)],
            Vote::RollBack,
            "a is firing: 2 of 3, b fired at 1970-01-01T00:00:10Z and is quiet again",
            Some(10),
        );
    }

    #[test]
    fn an_alarm_whose_own_actions_are_disabled_counts_like_any_other() {
        let muted = Alarm { actions_enabled: false, ..alarm("a", AlarmState::Alarm) };
        check(&[muted, alarm("b", AlarmState::Ok)], &[], Vote::RollBack, "a is firing: 2 of 3", Some(50));
    }

    #[test]
    fn a_missing_alarm_holds_and_one_without_data_is_mentioned() {
        check(&[alarm("b", AlarmState::Ok)], &[], Vote::Hold, "a no longer exists, so nothing guards this step", None);
        // It was deleted after it had fired.
        check(
            &[alarm("b", AlarmState::Ok)],
            &[("a", 20)],
            Vote::RollBack,
            "a fired at 1970-01-01T00:00:20Z and is quiet again",
            Some(20),
        );
        check(
            &[alarm("a", AlarmState::InsufficientData), alarm("b", AlarmState::Ok)],
            &[],
            Vote::GoOn,
            "a without data",
            None,
        );
    }
}
