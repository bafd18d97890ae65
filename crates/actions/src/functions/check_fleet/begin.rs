//! Begins a run: its waves, by what is in the policy and by the requests of the day before.

use super::{Entered, who};
use crate::conducting::record;
use crate::error::{ActionError, Doing as _};
use crate::ports::Ports;
use crossfade_domain::fleet::event::FleetEvent;
use crossfade_domain::fleet::head::FleetHead;
use crossfade_domain::fleet::request::FleetRequest;
use crossfade_domain::fleet::waves::waves;
use crossfade_domain::load_balancer::metric_query::MetricQuery;
use crossfade_domain::names::ServiceName;
use crossfade_domain::policy::service_policy::FleetPolicy;
use jiff::SignedDuration;
use std::collections::BTreeMap;

pub(super) async fn begin(
    ports: &Ports,
    policy: &FleetPolicy,
    previous: Option<&FleetHead>,
    request: &FleetRequest,
    execution: &str,
) -> Result<Option<Entered>, ActionError> {
    let requests = requests_of_a_day(ports, policy).await?;
    let mut first = FleetHead::first(&policy.fleet, previous, execution, ports.clock.now());
    first.windows_ignored = request.now;
    let begun = FleetEvent::Begun { who: who(request, execution), waves: waves(policy, &requests), requests };
    Ok(record(ports, previous, &first, vec![begun]).await?.map(|_| Entered::Conducts))
}

const HOUR_SECONDS: u16 = 3_600;
/// Groups that are asked for together: five calls. AWS takes 40 at once from the account, and a retry repeats them all.
const GROUPS_AT_A_TIME: usize = 100;

/// The requests that each service's old target groups had in the last day. A group that does not exist has none: the
/// plan of its service says so when its turn comes.
///
/// # Errors
/// Those of the load balancers and of the metrics.
pub async fn requests_of_a_day(ports: &Ports, policy: &FleetPolicy) -> Result<BTreeMap<ServiceName, u64>, ActionError> {
    let names: Vec<String> =
        policy.services.iter().flat_map(|service| service.old_target_groups.iter().cloned()).collect();
    let mut groups = Vec::with_capacity(names.len());
    for names in names.chunks(GROUPS_AT_A_TIME) {
        let read = ports.target_groups.target_groups(names).await;
        groups.extend(read.doing(|| "reading the old target groups")?);
    }
    let mut queries = Vec::new();
    let mut owners = Vec::new();
    for service in &policy.services {
        let own = groups.iter().filter(|group| {
            service.old_target_groups.iter().any(|name| *name == group.name || name == group.arn.as_str())
        });
        for group in own {
            for balancer in &group.load_balancers {
                owners.push(service.name.clone());
                queries.push(MetricQuery {
                    metric: "RequestCount",
                    load_balancer: balancer.clone(),
                    group: Some(group.arn.clone()),
                    period_seconds: HOUR_SECONDS,
                    statistic: "Sum".to_owned(),
                });
            }
        }
    }
    if queries.is_empty() {
        return Ok(BTreeMap::new());
    }
    let now = ports.clock.now();
    let since = now - SignedDuration::from_hours(24);
    let answers = ports.metrics.data(&queries, since, now).await.doing(|| "reading the requests of the last day")?;
    let mut requests = BTreeMap::new();
    for (service, points) in owners.into_iter().zip(answers) {
        let sum: f64 = points.iter().map(|(_, value)| value).sum();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of requests")]
        let sum = sum.max(0.0) as u64;
        *requests.entry(service).or_insert(0) += sum;
    }
    Ok(requests)
}
