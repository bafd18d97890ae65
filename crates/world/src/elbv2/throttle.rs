//! The account's request rates: token buckets, two of them charged by every call.

use crate::aws_error::AwsError;
use jiff::Timestamp;

/// The token buckets of an account in a region.
#[derive(Debug, Clone)]
pub struct Throttle {
    account: Bucket,
    describing: Bucket,
    changing: Bucket,
    registering: Bucket,
    creating: Bucket,
}

#[derive(Debug, Clone)]
struct Bucket {
    size: f64,
    per_second: f64,
    tokens: f64,
    filled_at: Timestamp,
}

impl Throttle {
    /// The published limits: 20 changes at once and 3 a second, 40 reads at once and 10 a second, 20 registrations at
    /// once and 4 a second, and 40 at once and 10 a second for everything together.
    pub fn of_aws(now: Timestamp) -> Self {
        Self {
            account: Bucket::full(40.0, 10.0, now),
            describing: Bucket::full(40.0, 10.0, now),
            changing: Bucket::full(20.0, 3.0, now),
            registering: Bucket::full(20.0, 4.0, now),
            creating: Bucket::full(10.0, 0.2, now),
        }
    }

    pub(super) fn admit(&mut self, now: Timestamp, operation: &str) -> Result<(), AwsError> {
        let own = if operation.starts_with("Describe") {
            &mut self.describing
        } else if matches!(operation, "RegisterTargets" | "DeregisterTargets") {
            &mut self.registering
        } else if operation == "CreateLoadBalancer" {
            &mut self.creating
        } else {
            &mut self.changing
        };
        own.fill(now);
        self.account.fill(now);
        if own.tokens < 1.0 || self.account.tokens < 1.0 {
            return Err(AwsError::throttled());
        }
        own.tokens -= 1.0;
        self.account.tokens -= 1.0;
        Ok(())
    }
}

impl Bucket {
    fn full(size: f64, per_second: f64, now: Timestamp) -> Self {
        Self { size, per_second, tokens: size, filled_at: now }
    }

    fn fill(&mut self, now: Timestamp) {
        let seconds = now.duration_since(self.filled_at).as_secs_f64().max(0.0);
        self.tokens = (self.tokens + seconds * self.per_second).min(self.size);
        self.filled_at = self.filled_at.max(now);
    }
}
