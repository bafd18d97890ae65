//! Detaches new groups from their Auto Scaling group, once a migration is back where it began.

use crate::error::ActionError;
use crate::ports::Ports;
use crate::reads::deadline::Deadline;
use crate::retry::retry;
use crossfade_domain::journal::wording::counted;
use crossfade_domain::names::TargetGroupArn;
use crossfade_domain::plan::Plan;
use std::time::Duration;

/// How long Auto Scaling may take, in real time.
const CLEAN_UP: Duration = Duration::from_secs(10);

/// Detaches new groups, whose instances go on running, and returns what is left to do by hand, if anything. No route
/// needs them any more, so neither an answer nor a function's time may depend on Auto Scaling.
pub(crate) async fn detach_scaling_group(ports: &Ports, plan: &Plan, groups: &[TargetGroupArn]) -> Option<String> {
    let name = plan.policy.new_targets.scaling_group().filter(|_| !groups.is_empty())?;
    let error = Deadline::begin(ports, CLEAN_UP).limit(detach(ports, name, groups)).await.err()?;
    let sources: Vec<String> = groups.iter().map(|group| format!("Identifier={group},Type=elbv2")).collect();
    tracing::warn!(migration = %plan.migration, error, name, "new groups stay attached to their Auto Scaling group");
    Some(format!(
        "detach the new target groups by hand, {error}: aws autoscaling detach-traffic-sources \
         --auto-scaling-group-name {name} --traffic-sources {}",
        sources.join(" ")
    ))
}

async fn detach(ports: &Ports, name: &str, groups: &[TargetGroupArn]) -> Result<(), ActionError> {
    let doing = format!("detaching {} from Auto Scaling group {name}", counted(groups.len(), "target group"));
    if retry(ports, &doing, || ports.auto_scaling.scaling_group(name)).await?.is_none() {
        return Ok(());
    }
    retry(ports, &doing, || ports.auto_scaling.detach(name, groups)).await
}
