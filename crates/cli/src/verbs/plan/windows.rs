//! When the steps of a plan can be taken at the earliest, under the windows of its policy.

use crossfade_domain::plan::Plan;
use crossfade_domain::windows::{Calendars, Opening};
use jiff::{SignedDuration, Timestamp};

/// The first moment of each step from 1, if it starts now and nothing else holds it. None without windows; a step is
/// null, and those after it, where that is not known.
pub(super) fn dates(plan: &Plan, calendars: &Calendars, now: Timestamp) -> Option<Vec<Option<Timestamp>>> {
    let windows = plan.policy.windows.as_ref()?;
    let mut from = Some(now);
    let dates = plan.policy.schedule.steps.iter().map(|step| {
        let date = windows.next_fit(calendars, from?, step.bake_seconds);
        from = date.map(|date| date + SignedDuration::from_secs(i64::from(step.bake_seconds)));
        date
    });
    Some(dates.collect())
}

/// The same for people.
pub(super) fn render(plan: &Plan, calendars: &Calendars, now: Timestamp) -> Option<String> {
    let (windows, dates) = (plan.policy.windows.as_ref()?, dates(plan, calendars, now)?);
    let moment = |date: &Option<Timestamp>| match date {
        Some(date) if *date == now => "now".to_owned(),
        Some(date) => windows.written(now, *date),
        None => "unknown".to_owned(),
    };
    let mut lines = vec!["Windows, if nothing else holds a step".to_owned()];
    for (step, date) in plan.policy.schedule.steps.iter().zip(&dates) {
        lines.push(format!("  to {:<8} from {}", step.weight.to_string(), moment(date)));
    }
    if let Opening::Closed { until: None, why } = windows.opening(calendars, now) {
        lines.push(format!("  {why}"));
    }
    Some(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossfade_domain::policy::document::decode_service;
    use crossfade_domain::windows::CalendarState;
    use serde_json::json;

    #[test]
    fn each_step_has_its_first_date_under_the_windows() {
        let stored = include_str!("../../../../../tests/compatibility/plan.json");
        let mut plan: Plan = serde_json::from_str(stored).unwrap();
        let now: Timestamp = "2026-12-07T14:00:00Z".parse().unwrap();
        assert_eq!(render(&plan, &Calendars::default(), now), None);
        plan.policy = decode_service(&json!({
            "name": "users", "oldTargetGroups": "g", "newTargets": { "instances": ["i-1", "i-2"] },
            "schedule": [
                { "weight": 5, "bake": "1h" },
                { "weight": 50, "bake": "2h" },
                { "weight": 100, "bake": "1h" },
            ],
            "windows": {
                "timeZone": "Europe/Madrid", "open": [{ "days": "Mon-Thu", "from": "09:30", "to": "16:00" }],
            },
        }))
        .unwrap();
        let shown = render(&plan, &Calendars::default(), now).unwrap();
        let lines: Vec<&str> = shown.lines().skip(1).map(str::trim).collect();
        assert_eq!(
            lines,
            [
                "to 5 %      from now",
                "to 50 %     from Tue 09:30 Europe/Madrid",
                "to 100 %    from Tue 11:30 Europe/Madrid",
            ]
        );
        plan.policy.windows.as_mut().unwrap().calendars = vec!["change-freeze".to_owned()];
        let shown = |state| render(&plan, &[("change-freeze".to_owned(), state)].into_iter().collect(), now).unwrap();
        let closed = shown(CalendarState::Closed { until: Some("2026-12-09T09:00:00Z".parse().unwrap()) });
        assert!(closed.contains("to 5 %      from Wed 10:00 Europe/Madrid"), "{closed}");
        let unreadable = shown(CalendarState::Unreadable("denied".to_owned()));
        assert!(unreadable.contains("to 5 %      from unknown"), "{unreadable}");
        let why = "closed, and it is not known until when (calendar change-freeze could not be read: denied)";
        assert!(unreadable.ends_with(&format!("\n  {why}")), "{unreadable}");
    }
}
