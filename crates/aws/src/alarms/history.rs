//! Reads an entry of an alarm's history.

use crossfade_domain::alarms::alarm::AlarmState;
use serde_json::Value;

/// The state that an alarm changed to: `OK`, `ALARM` or `INSUFFICIENT_DATA`.
///
/// `data` is JSON, but CloudWatch cuts it off at 4,095 characters, which many data points reach; the state comes before
/// them. `summary` ends in "to ALARM" and is used if the data have no state, because a change that cannot be read must
/// not count as quiet.
pub(super) fn new_state(data: Option<&str>, summary: Option<&str>) -> Option<String> {
    let data = data.unwrap_or_default();
    from_json(data).or_else(|| from_cut_json(data)).or_else(|| from_summary(summary.unwrap_or_default()))
}

fn from_json(data: &str) -> Option<String> {
    let data: Value = serde_json::from_str(data).ok()?;
    Some(data.get("newState")?.get("stateValue")?.as_str()?.to_owned())
}

fn from_cut_json(data: &str) -> Option<String> {
    let (_, after) = data.split_once("\"newState\"")?;
    let (_, after) = after.split_once("\"stateValue\"")?;
    let (_, after) = after.split_once('"')?;
    let (state, _) = after.split_once('"')?;
    Some(state.to_owned())
}

fn from_summary(summary: &str) -> Option<String> {
    let state = summary.rsplit(' ').next()?;
    AlarmState::parse(state).map(|state| state.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(data: Option<&str>, summary: Option<&str>, expected: Option<&str>) {
        assert_eq!(new_state(data, summary).as_deref(), expected, "{data:?} {summary:?}");
    }

    #[test]
    fn the_new_state_is_read_even_where_the_data_are_cut_off() {
        let whole = r#"{"version":"1.0","oldState":{"stateValue":"OK","stateReason":"was"},
            "newState":{"stateValue":"ALARM","stateReason":"is","stateReasonData":{"recentDatapoints":[7.0]}}}"#;
        check(Some(whole), None, Some("ALARM"));
        let cut = whole.split_once("[7").unwrap().0;
        check(Some(cut), Some("Alarm updated from OK to OK"), Some("ALARM"));
        let cut_early = whole.split_once("newState").unwrap().0;
        check(Some(cut_early), Some("Alarm updated from OK to ALARM"), Some("ALARM"));
        check(None, Some("Alarm updated from ALARM to OK"), Some("OK"));
        check(Some("{}"), Some("something else"), None);
        check(None, None, None);
    }
}
