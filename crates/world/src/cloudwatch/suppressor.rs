//! The suppressor of a composite alarm: the alarm changes its state and sends its events as ever, and only its actions
//! wait.

use super::CloudWatch;
use super::alarm::Alarm;
use super::input::{integer, text};
use crate::aws_error::AwsError;
use crossfade_domain::alarms::alarm::AlarmState;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

const WAIT: &str = "ActionsSuppressorWaitPeriod";
const EXTENSION: &str = "ActionsSuppressorExtensionPeriod";

impl CloudWatch {
    /// A suppressor is an alarm that exists, and comes with both periods.
    pub(super) fn check_suppressor(&self, input: &Value) -> Result<(), AwsError> {
        let Some(name) = suppressor(input) else { return Ok(()) };
        if !self.alarms.contains_key(name) {
            return Err(AwsError::validation(format!("the suppressor {name} does not exist")));
        }
        let missing = [WAIT, EXTENSION].into_iter().find(|period| integer(input, period).is_none());
        missing.map_or(Ok(()), |period| Err(AwsError::validation(format!("{period} is required with a suppressor"))))
    }

    /// What suppresses the actions of an alarm now: `Alarm`, `WaitPeriod` or `ExtensionPeriod`.
    pub(super) fn suppressed_by(&self, alarm: &Alarm, now: Timestamp) -> Option<&'static str> {
        let suppressor = self.alarms.get(suppressor(&alarm.request)?)?;
        if alarm.state != AlarmState::Alarm {
            return None;
        }
        let lasts = |since: Timestamp, period: &str| {
            now.duration_since(since) < SignedDuration::from_secs(integer(&alarm.request, period).unwrap_or(0))
        };
        let was_released = suppressor.transitioned > alarm.transitioned;
        if suppressor.state == AlarmState::Alarm {
            Some("Alarm")
        } else if was_released && lasts(suppressor.transitioned, EXTENSION) {
            Some("ExtensionPeriod")
        } else if !was_released && lasts(alarm.transitioned, WAIT) {
            Some("WaitPeriod")
        } else {
            None
        }
    }
}

/// The name of the suppressor, which a request may give as an ARN.
fn suppressor(request: &Value) -> Option<&str> {
    text(request, "ActionsSuppressor").map(|given| given.rsplit_once(":alarm:").map_or(given, |(_, name)| name))
}
