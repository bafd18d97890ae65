use super::PortError;
use crossfade_domain::load_balancer::metric_query::{DataPoints, MetricQuery};
use jiff::Timestamp;

/// What load balancers count, for themselves and for each of their target groups.
#[async_trait::async_trait]
pub trait Metrics: Send + Sync {
    /// The data points of each query from `since` to before `until`, oldest first, in the order of the queries, however
    /// many there are. What was not published is absent. An answer is complete or an error: an incomplete one
    /// is not compared.
    async fn data(
        &self,
        queries: &[MetricQuery],
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<DataPoints>, PortError>;
}
