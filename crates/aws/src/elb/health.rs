//! Targets and their health.

use super::Elb;
use crate::classify::{failed, malformed};
use aws_sdk_elasticloadbalancingv2::types::builders::TargetDescriptionBuilder;
use aws_sdk_elasticloadbalancingv2::types::{TargetDescription, TargetHealthDescription, TargetHealthStateEnum};
use crossfade_actions::ports::{PortError, TargetZone};
use crossfade_domain::load_balancer::group::{HealthState, Target, TargetHealth};
use crossfade_domain::names::TargetGroupArn;

/// Targets in one call. A group holds up to 1,000; nothing says how many one call takes.
const TARGETS_IN_A_CALL: usize = 100;
const DESCRIBE: &str = "DescribeTargetHealth";
/// The zone of an address outside the VPC.
const ALL_ZONES: &str = "all";

impl Elb {
    pub(super) async fn target_health(&self, group: &TargetGroupArn) -> Result<Vec<TargetHealth>, PortError> {
        let answer = self.reader.describe_target_health().target_group_arn(group.as_str()).send().await;
        let descriptions = answer.map_err(failed(DESCRIBE, group.as_str()))?.target_health_descriptions;
        descriptions
            .unwrap_or_default()
            .iter()
            .map(|target| observed(target).ok_or_else(|| malformed(DESCRIBE, group.as_str(), "a target without an id")))
            .collect()
    }

    pub(super) async fn register_targets(
        &self,
        group: &TargetGroupArn,
        targets: &[Target],
        zone: TargetZone,
    ) -> Result<(), PortError> {
        let in_zone = |target| match zone {
            TargetZone::OfTheirSubnet => description(target).build(),
            TargetZone::All => description(target).availability_zone(ALL_ZONES).build(),
        };
        for batch in targets.chunks(TARGETS_IN_A_CALL) {
            self.reader
                .register_targets()
                .target_group_arn(group.as_str())
                .set_targets(Some(batch.iter().map(in_zone).collect()))
                .send()
                .await
                .map_err(failed("RegisterTargets", group.as_str()))?;
        }
        Ok(())
    }

    pub(super) async fn deregister_targets(&self, group: &TargetGroupArn, targets: &[Target]) -> Result<(), PortError> {
        for batch in targets.chunks(TARGETS_IN_A_CALL) {
            self.reader
                .deregister_targets()
                .target_group_arn(group.as_str())
                .set_targets(Some(batch.iter().map(|target| description(target).build()).collect()))
                .send()
                .await
                .map_err(failed("DeregisterTargets", group.as_str()))?;
        }
        Ok(())
    }
}

fn description(target: &Target) -> TargetDescriptionBuilder {
    TargetDescription::builder().id(&target.id).set_port(target.port.map(i32::from))
}

fn observed(description: &TargetHealthDescription) -> Option<TargetHealth> {
    let target = description.target()?;
    let health = description.target_health();
    Some(TargetHealth {
        target: Target { id: target.id.clone()?, port: target.port.and_then(|port| u16::try_from(port).ok()) },
        state: health.and_then(|health| health.state.as_ref()).map_or(HealthState::Unavailable, state),
        reason: health.and_then(|health| health.reason.as_ref()).map(|reason| reason.as_str().to_owned()),
    })
}

fn state(state: &TargetHealthStateEnum) -> HealthState {
    match state {
        TargetHealthStateEnum::Initial => HealthState::Initial,
        TargetHealthStateEnum::Healthy => HealthState::Healthy,
        TargetHealthStateEnum::Unhealthy => HealthState::Unhealthy,
        TargetHealthStateEnum::Unused => HealthState::Unused,
        TargetHealthStateEnum::Draining | TargetHealthStateEnum::UnhealthyDraining => HealthState::Draining,
        // `unavailable` and any state that AWS adds later are not healthy.
        _ => HealthState::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_nobody_knows_is_not_healthy() {
        assert_eq!(state(&TargetHealthStateEnum::from("glowing")), HealthState::Unavailable);
        assert_eq!(state(&TargetHealthStateEnum::from("healthy")), HealthState::Healthy);
        assert_eq!(state(&TargetHealthStateEnum::from("unhealthy.draining")), HealthState::Draining);
    }
}
