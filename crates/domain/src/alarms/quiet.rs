//! Decides whether the alarms object: for a plan, its start, a check during a bake, a resume and the sweep.

use super::alarm::{Alarm, AlarmState, Firing};
use jiff::Timestamp;
use std::fmt;

/// The alarms as they were read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlarmsRead {
    /// Those that exist.
    pub found: Vec<Alarm>,
    /// Changes to ALARM from their histories.
    pub firings: Vec<Firing>,
}

/// The objection of one alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Objection {
    /// It is firing.
    Firing {
        /// The alarm.
        name: String,
        /// Since when.
        since: Timestamp,
        /// CloudWatch's reason.
        reason: String,
    },
    /// It fired in the time that counts, and is quiet again or gone.
    Fired {
        /// The alarm.
        name: String,
        /// When it first did.
        at: Timestamp,
    },
    /// It does not exist, and so would never fire.
    Missing {
        /// The alarm.
        name: String,
    },
}

impl Objection {
    /// When the cause of it arose; none for an alarm that is missing.
    pub fn at(&self) -> Option<Timestamp> {
        match self {
            Self::Firing { since, .. } => Some(*since),
            Self::Fired { at, .. } => Some(*at),
            Self::Missing { .. } => None,
        }
    }
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Firing { name, since, reason } => write!(f, "alarm {name} has been firing since {since}: {reason}"),
            Self::Fired { name, at } => write!(f, "alarm {name} fired at {at}"),
            Self::Missing { name } => write!(f, "alarm {name} does not exist"),
        }
    }
}

/// Every objection of the alarms named in `wanted`, in that order. An alarm objects if it fires now, or if it fired at
/// or after `since`, even if it is quiet again. An alarm without data does not object.
pub fn objections(wanted: &[String], read: &AlarmsRead, since: Timestamp) -> Vec<Objection> {
    let mut objections = Vec::new();
    for name in wanted {
        let found = read.found.iter().find(|alarm| alarm.name == *name);
        if let Some(alarm) = found.filter(|alarm| alarm.state == AlarmState::Alarm) {
            let (since, reason) = (alarm.since, alarm.reason.clone());
            objections.push(Objection::Firing { name: name.clone(), since, reason });
            continue;
        }
        let fired = read.firings.iter().filter(|firing| firing.name == *name && firing.at >= since);
        objections.extend(fired.map(|firing| firing.at).min().map(|at| Objection::Fired { name: name.clone(), at }));
        if found.is_none() {
            objections.push(Objection::Missing { name: name.clone() });
        }
    }
    objections
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn an_alarm_objects_while_it_fires_after_it_fired_and_when_it_is_gone() {
        let alarm = |name: &str, state| Alarm {
            name: name.into(),
            state,
            since: second(50),
            reason: "2 of 3".into(),
            actions_enabled: true,
        };
        let firing = |name: &str, at| Firing { name: name.into(), at: second(at) };
        let read = AlarmsRead {
            found: vec![
                alarm("fires", AlarmState::Alarm),
                alarm("fired", AlarmState::Ok),
                alarm("silent", AlarmState::InsufficientData),
                alarm("quiet", AlarmState::Ok),
                alarm("foreign", AlarmState::Alarm),
            ],
            firings: vec![firing("fires", 50), firing("fired", 30), firing("fired", 20), firing("quiet", 9)],
        };
        let wanted = ["fires", "fired", "silent", "quiet", "gone"].map(str::to_owned);
        let found: Vec<String> = objections(&wanted, &read, second(10)).iter().map(ToString::to_string).collect();
        let expected = [
            "alarm fires has been firing since 1970-01-01T00:00:50Z: 2 of 3",
            "alarm fired fired at 1970-01-01T00:00:20Z",
            "alarm gone does not exist",
        ];
        assert_eq!(found, expected);
    }
}
