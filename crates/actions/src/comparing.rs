//! Reads what the judge compares, and asks it.

use crate::error::ActionError;
use crate::ports::Ports;
use crate::standing::Ours;
use crossfade_domain::comparison::{GroupPair, PairRead, Window, horizon_minutes, series};
use crossfade_domain::judge::{Judgement, MetricKind, Parameters, judge};

/// Judges the whole series since the first shift; nothing is kept between two looks. None before the first traffic and where
/// the policy wants no judge.
///
/// # Errors
/// The ledger's and the metrics'. What CloudWatch answers in part is an error.
pub(crate) async fn compare(ports: &Ports, ours: &Ours) -> Result<Option<Judgement>, ActionError> {
    let Ours { head, plan } = ours;
    if !plan.policy.judge || head.verified_step.unwrap_or(0) == 0 {
        return Ok(None);
    }
    let events = ports.ledger.events(&head.service, &head.migration).await;
    let events = events.map_err(|source| ActionError::Ledger {
        doing: format!("reading the journal of {}", head.migration),
        source,
    })?;
    let Some(window) = Window::of(&events, ports.clock.now()) else { return Ok(None) };
    let mut pairs = Vec::new();
    for planned in &plan.groups {
        let new = head.new_groups.get(&planned.old).ok_or_else(|| {
            ActionError::Internal(format!("{} of {} has no new target group", planned.old.name(), head.migration))
        })?;
        let pair =
            GroupPair { load_balancer: planned.load_balancer.clone(), old: planned.old.clone(), new: new.clone() };
        pairs.push(read(ports, &pair, &window).await?);
    }
    let series = series(&window, &pairs);
    let mut judgement = judge(&series, &Parameters::new(horizon_minutes(plan)));
    if !series.metrics.contains_key(&MetricKind::Slow) {
        judgement.sentence.push_str("; slowness not compared, the old cluster answered nothing before the first shift");
    }
    Ok(Some(judgement))
}

async fn read(ports: &Ports, pair: &GroupPair, window: &Window) -> Result<PairRead, ActionError> {
    let port = |source| ActionError::Port {
        doing: format!("reading the metrics of {} and {}", pair.old.name(), pair.new.name()),
        source,
    };
    let times = ports.metrics.response_times(&pair.load_balancer, &pair.old, window.first).await.map_err(port)?;
    let slow_above = times.slow_above();
    let minutes = ports.metrics.group_minutes(pair, slow_above, window.since(), window.until).await.map_err(port)?;
    Ok(PairRead { slow_above, minutes })
}
