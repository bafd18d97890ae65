//! Evaluating alarms: M of the last N periods, with missing data as each alarm asks for.

use super::CloudWatch;
use super::alarm::{Alarm, Condition, Missing, Transition, Watch};
use super::event;
use super::lateness::Readable;
use super::query::series;
use crossfade_domain::alarms::alarm::AlarmState;
use jiff::Timestamp;
use serde_json::json;

/// Points that CloudWatch looks back for beyond N, when some are missing.
const EXTRA_POINTS: usize = 2;

impl CloudWatch {
    pub(super) fn evaluate_tick(&mut self, tick_seconds: i64) {
        let now = Timestamp::from_second(tick_seconds).expect("ticks are times");
        let names: Vec<String> = self.alarms.keys().cloned().collect();
        for name in &names {
            let Watch::Metric(condition) = &self.alarms[name].watch else { continue };
            // High-resolution alarms are looked at every ten seconds, the others every minute.
            if condition.period_seconds >= 60 && tick_seconds.rem_euclid(60) != 0 {
                continue;
            }
            let points = self.points(condition, tick_seconds);
            let changed = decide(condition, &points).filter(|state| *state != self.alarms[name].state);
            if let Some(state) = changed {
                let (reason, data) = words(condition, &points, now);
                self.set_state(name, state, reason, Some(data), now);
            }
        }
        self.settle_composites(now);
    }

    /// What has arrived at a time.
    pub(super) fn readable(&self, now: i64) -> Readable<'_> {
        Readable { store: &self.store, lateness: self.lateness, now }
    }

    /// The newest points first, `N + 2` of them up to now; none where data is missing or has not arrived.
    fn points(&self, condition: &Condition, tick_seconds: i64) -> Vec<Option<f64>> {
        let end = tick_seconds - tick_seconds.rem_euclid(condition.period_seconds);
        let wanted = condition.periods + EXTRA_POINTS;
        let span = condition.period_seconds * i64::try_from(wanted).expect("few periods");
        let readable = self.readable(tick_seconds);
        let series = series(readable, &condition.queries, &condition.watched, end - span, end).unwrap_or_default();
        (1..=wanted)
            .map(|back| {
                let start = end - condition.period_seconds * i64::try_from(back).expect("few periods");
                series.get(&start).copied()
            })
            .collect()
    }

    /// Composite alarms follow their children, children before parents, until nothing changes.
    pub(super) fn settle_composites(&mut self, now: Timestamp) {
        for _ in 0..=self.alarms.len() {
            let changes: Vec<(String, AlarmState, String, serde_json::Value)> = self
                .alarms
                .values()
                .filter_map(|alarm| {
                    let Watch::Composite(rule) = &alarm.watch else { return None };
                    let firing = rule.holds(&|name| self.alarms.get(name).map(|child| child.state));
                    let state = if firing { AlarmState::Alarm } else { AlarmState::Ok };
                    (state != alarm.state).then(|| {
                        let triggering: Vec<_> = rule
                            .children()
                            .into_iter()
                            .filter_map(|child| self.alarms.get(child))
                            .filter(|child| child.state == AlarmState::Alarm)
                            .map(|child| {
                                json!({"arn": child.arn, "state": {"value": child.state.as_str(),
                                    "timestamp": event::time(child.updated)}})
                            })
                            .collect();
                        let reason = format!("alarm rule is {firing} with {} of its alarms in ALARM", triggering.len());
                        (alarm.name.clone(), state, reason, json!({ "triggeringAlarms": triggering }))
                    })
                })
                .collect();
            if changes.is_empty() {
                return;
            }
            for (name, state, reason, data) in changes {
                self.set_state(&name, state, reason, Some(data), now);
            }
        }
    }

    /// Moves an alarm into a state; only a change of value makes history and an event.
    pub(super) fn set_state(
        &mut self,
        name: &str,
        state: AlarmState,
        reason: String,
        reason_data: Option<serde_json::Value>,
        now: Timestamp,
    ) {
        let Some(alarm) = self.alarms.get_mut(name) else { return };
        if alarm.state == state {
            return;
        }
        let before = Alarm { request: serde_json::Value::Null, ..alarm.clone() };
        alarm.state = state;
        alarm.reason.clone_from(&reason);
        alarm.reason_data = reason_data;
        alarm.updated = now;
        alarm.transitioned = now;
        let alarm = alarm.clone();
        let sender = self.next_event(now);
        let event = sender.state_change(&alarm, &before, self.suppressed_by(&alarm, now));
        self.history.push(Transition {
            alarm: name.to_owned(),
            at: now,
            from: before.state,
            to: state,
            reason,
            event: Some(event),
            kind: alarm.watch.kind(),
        });
    }

    /// One of the time series that an alarm with `GROUP BY` watches changes its state, and sends an event of its own.
    /// The alarm's own state is that of all its contributors together, and is set apart from this.
    pub fn change_contributor(&mut self, now: Timestamp, alarm: &str, contributor: &str, state: AlarmState) {
        let Some(alarm) = self.alarms.get(alarm).cloned() else { return };
        let event = self.next_event(now).contributor_change(&alarm, contributor, state);
        self.of_contributors.push(event);
    }

    fn next_event(&mut self, now: Timestamp) -> event::Sender {
        self.events += 1;
        event::Sender { now, region: self.region.clone(), account: self.account.clone(), number: self.events }
    }

    pub(super) fn take_events(&mut self) -> Vec<serde_json::Value> {
        let mut events = std::mem::take(&mut self.of_contributors);
        events.extend(self.history.iter_mut().filter_map(|transition| transition.event.take()));
        events
    }
}

/// The state that the points ask for; none to keep the present one.
fn decide(condition: &Condition, points: &[Option<f64>]) -> Option<AlarmState> {
    let breaches = |value: f64| condition.comparison.breaches(value, condition.threshold);
    let real: Vec<f64> = points.iter().flatten().copied().collect();
    let newest = points.iter().take(condition.periods);
    let state = |breaching: usize| if breaching >= condition.datapoints { AlarmState::Alarm } else { AlarmState::Ok };
    // Enough real points, perhaps from further back: missing ones are not needed at all.
    if newest.clone().all(Option::is_some) || real.len() >= condition.periods {
        let used = real.iter().take(condition.periods);
        return Some(state(used.filter(|value| breaches(**value)).count()));
    }
    let breaching = real.iter().filter(|value| breaches(**value)).count();
    let missing = condition.periods - real.len();
    match condition.missing {
        Missing::Breaching => Some(state(breaching + missing)),
        Missing::NotBreaching => Some(state(breaching)),
        _ if breaching >= condition.datapoints => Some(AlarmState::Alarm),
        _ if breaching < real.len() => Some(AlarmState::Ok),
        Missing::Ignore => None,
        Missing::Unknown if real.is_empty() => Some(AlarmState::InsufficientData),
        // Every point there is breaches: better early than late.
        Missing::Unknown => Some(AlarmState::Alarm),
    }
}

fn words(condition: &Condition, points: &[Option<f64>], now: Timestamp) -> (String, serde_json::Value) {
    let recent: Vec<f64> = points.iter().take(condition.periods).flatten().copied().collect();
    let breaching = recent.iter().filter(|value| condition.comparison.breaches(**value, condition.threshold)).count();
    let reason = format!(
        "Threshold Crossed: {breaching} out of the last {} datapoints {recent:?} were {} the threshold ({:?}) (minimum \
         {} datapoints for OK -> ALARM transition).",
        condition.periods,
        condition.comparison.words(),
        condition.threshold,
        condition.datapoints,
    );
    let data = json!({
        "version": "1.0",
        "queryDate": event::time(now),
        "period": condition.period_seconds,
        "recentDatapoints": recent,
        "threshold": condition.threshold,
    });
    (reason, data)
}

#[cfg(test)]
mod tests {
    use super::super::alarm::Comparison;
    use super::*;

    /// Oldest first, as AWS's own table writes them: `X` breaches, `0` does not, `-` is missing.
    fn check(points: &str, datapoints: usize, missing: Missing, expected: Option<AlarmState>) {
        let condition = Condition {
            queries: Vec::new(),
            watched: String::new(),
            period_seconds: 60,
            periods: 3,
            datapoints,
            threshold: 0.5,
            comparison: Comparison::Greater,
            missing,
        };
        let newest_first: Vec<Option<f64>> = points
            .split(' ')
            .rev()
            .map(|point| match point {
                "X" => Some(1.0),
                "0" => Some(0.0),
                _ => None,
            })
            .collect();
        assert_eq!(decide(&condition, &newest_first), expected, "{points} {datapoints} of 3 {missing:?}");
    }

    #[test]
    fn missing_points_count_as_each_alarm_asks() {
        use AlarmState::{Alarm, InsufficientData, Ok};
        use Missing::{Breaching, Ignore, NotBreaching, Unknown};
        for (points, as_missing, ignore, breaching, not_breaching) in [
            ("0 - X - X", Some(Ok), Some(Ok), Some(Ok), Some(Ok)),
            ("- - - - 0", Some(Ok), Some(Ok), Some(Ok), Some(Ok)),
            ("- - - - -", Some(InsufficientData), None, Some(Alarm), Some(Ok)),
            ("0 X X - X", Some(Alarm), Some(Alarm), Some(Alarm), Some(Alarm)),
            ("- - X - -", Some(Alarm), None, Some(Alarm), Some(Ok)),
        ] {
            check(points, 3, Unknown, as_missing);
            check(points, 3, Ignore, ignore);
            check(points, 3, Breaching, breaching);
            check(points, 3, NotBreaching, not_breaching);
        }
        check("0 0 X 0 X", 2, NotBreaching, Some(Alarm));
        check("0 - X - -", 2, Unknown, Some(Ok));
        check("- - - X -", 2, Unknown, Some(Alarm));
    }
}
