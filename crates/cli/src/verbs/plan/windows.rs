//! When the steps of a plan can be taken at the earliest, under the windows of its policy.

use crossfade_domain::plan::Plan;
use crossfade_domain::windows::Calendars;
use jiff::{SignedDuration, Timestamp};

/// The first moment of each step from 1, if it starts now and nothing else holds it. None without windows; a step is
/// null, and those after it, where that is not known.
pub(super) fn dates(plan: &Plan, now: Timestamp) -> Option<Vec<Option<Timestamp>>> {
    let windows = plan.policy.windows.as_ref()?;
    let mut from = Some(now);
    let dates = plan.policy.schedule.steps.iter().map(|step| {
        let date = windows.next_fit(&Calendars::default(), from?, step.bake_seconds);
        from = date.map(|date| date + SignedDuration::from_secs(i64::from(step.bake_seconds)));
        date
    });
    Some(dates.collect())
}

/// The same for people.
pub(super) fn render(plan: &Plan, now: Timestamp) -> Option<String> {
    let (windows, dates) = (plan.policy.windows.as_ref()?, dates(plan, now)?);
    let moment = |date: &Option<Timestamp>| match date {
        Some(date) if *date == now => "now".to_owned(),
        Some(date) => windows.written(now, *date),
        None => "unknown".to_owned(),
    };
    let mut lines = vec!["Windows, if nothing else holds a step".to_owned()];
    for (step, date) in plan.policy.schedule.steps.iter().zip(&dates) {
        lines.push(format!("  to {:<8} from {}", step.weight.to_string(), moment(date)));
    }
    Some(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossfade_domain::policy::document::decode_service;
    use serde_json::json;

    #[test]
    fn each_step_has_its_first_date_under_the_windows() {
        let stored = include_str!("../../../../../tests/compatibility/plan.json");
        let mut plan: Plan = serde_json::from_str(stored).unwrap();
        let now: Timestamp = "2026-12-07T14:00:00Z".parse().unwrap();
        assert_eq!(render(&plan, now), None);
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
        let shown = render(&plan, now).unwrap();
        let lines: Vec<&str> = shown.lines().skip(1).map(str::trim).collect();
        assert_eq!(
            lines,
            [
                "to 5 %      from now",
                "to 50 %     from Tue 09:30 Europe/Madrid",
                "to 100 %    from Tue 11:30 Europe/Madrid",
            ]
        );
    }
}
