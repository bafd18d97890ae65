//! Lambda's queue of asynchronous invocations: what it does with an event whose function was throttled or failed.
//!
//! AWS Lambda Developer Guide, "Asynchronous invocation": after an error of the function the event is retried twice,
//! after one minute and after two more. A throttled invocation uses up no retry: the event returns to the queue, with
//! pauses that grow from 1 second to 5 minutes, until it is too old.

use jiff::{SignedDuration, Timestamp};

/// The error name of an invocation that was throttled, as Step Functions shows it.
pub const THROTTLED: &str = "Lambda.TooManyRequestsException";

/// The pause before the first retry of a failed function; the second is twice as long.
const AFTER_AN_ERROR: SignedDuration = SignedDuration::from_mins(1);
/// The shortest and the longest pause after a throttled invocation.
const AFTER_A_THROTTLE: (SignedDuration, SignedDuration) = (SignedDuration::from_secs(1), SignedDuration::from_mins(5));

/// How long and how often a function's events are retried (`EventInvokeConfig`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventRetries {
    /// `MaximumEventAgeInSeconds`.
    pub most_age: SignedDuration,
    /// `MaximumRetryAttempts`.
    pub most_retries: u32,
}

impl Default for EventRetries {
    fn default() -> Self {
        Self { most_age: SignedDuration::from_hours(6), most_retries: 2 }
    }
}

/// An event in a function's queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueuedEvent {
    /// When it was sent.
    pub sent: Timestamp,
    errors: u32,
    throttles: u32,
}

impl QueuedEvent {
    /// An event that was never handed to its function.
    pub fn sent(at: Timestamp) -> Self {
        Self { sent: at, errors: 0, throttles: 0 }
    }

    /// How long the event waits after an invocation that ended with `error`; none where it is dropped.
    pub fn pause_after(&mut self, error: &str, now: Timestamp, retries: EventRetries) -> Option<SignedDuration> {
        let pause = if error == THROTTLED {
            let pause = AFTER_A_THROTTLE.0 * 2_i32.pow(self.throttles.min(20));
            self.throttles += 1;
            pause.min(AFTER_A_THROTTLE.1)
        } else if self.errors < retries.most_retries {
            self.errors += 1;
            AFTER_AN_ERROR * i32::try_from(self.errors).unwrap_or(i32::MAX)
        } else {
            return None;
        };
        (now.duration_since(self.sent) + pause <= retries.most_age).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pauses of an event whose every invocation ends with `error`, in seconds.
    fn pauses(error: &str, retries: EventRetries) -> Vec<i64> {
        let mut now = Timestamp::UNIX_EPOCH;
        let mut event = QueuedEvent::sent(now);
        let mut pauses = Vec::new();
        while let Some(pause) = event.pause_after(error, now, retries) {
            pauses.push(pause.as_secs());
            now += pause;
        }
        pauses
    }

    #[test]
    fn a_failed_function_is_retried_after_one_minute_and_two_more() {
        assert_eq!(pauses("Runtime.ExitError", EventRetries::default()), [60, 120]);
        let once = EventRetries { most_retries: 1, ..EventRetries::default() };
        assert_eq!(pauses("Runtime.ExitError", once), [60]);
    }

    #[test]
    fn a_throttled_event_is_retried_until_it_is_too_old() {
        let six_hours = pauses(THROTTLED, EventRetries::default());
        assert_eq!(six_hours[..11], [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        let waited: i64 = six_hours.iter().sum();
        assert!((6 * 3600 - 300..=6 * 3600).contains(&waited), "{waited}");
        let one_hour = EventRetries { most_age: SignedDuration::from_hours(1), ..EventRetries::default() };
        assert_eq!(pauses(THROTTLED, one_hour).iter().sum::<i64>(), 511 + 10 * 300);
    }

    #[test]
    fn a_throttle_uses_up_no_retry() {
        let mut event = QueuedEvent::sent(Timestamp::UNIX_EPOCH);
        let mut fails = |error| event.pause_after(error, Timestamp::UNIX_EPOCH, EventRetries::default());
        assert_eq!(fails(THROTTLED), Some(SignedDuration::from_secs(1)));
        assert_eq!(fails("Transient"), Some(SignedDuration::from_secs(60)));
        assert_eq!(fails(THROTTLED), Some(SignedDuration::from_secs(2)));
        assert_eq!(fails("Transient"), Some(SignedDuration::from_secs(120)));
        assert_eq!(fails("Transient"), None);
    }
}
