use super::PortError;
use crossfade_domain::comparison::{GroupPair, PairMinute, ResponseTimes};
use crossfade_domain::ids::{LoadBalancerArn, TargetGroupArn};
use jiff::Timestamp;

/// What load balancers count for each of their target groups.
///
/// An answer is whole or an error: counts that CloudWatch could not give completely are not compared.
#[async_trait::async_trait]
pub trait Metrics: Send + Sync {
    /// The counts of both groups in each minute from `since` to before `until`, oldest first. `slow_above_seconds` says what
    /// counts as slow; without it, nothing does. Minutes in which nothing was published may be absent.
    async fn group_minutes(
        &self,
        pair: &GroupPair,
        slow_above_seconds: Option<f64>,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<PairMinute>, PortError>;

    /// How long a group took to answer in the last whole hour of the clock before a time, and in each minute since its
    /// beginning.
    async fn response_times(
        &self,
        load_balancer: &LoadBalancerArn,
        group: &TargetGroupArn,
        before: Timestamp,
    ) -> Result<ResponseTimes, PortError>;
}
