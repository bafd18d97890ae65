//! The alarms of a fleet stop it, and no single service.

use crate::conducting::{policy_of, replace_conductor};
use crate::error::{ActionError, Doing as _};
use crate::ports::Ports;
use crate::reads::deadline::within;
use crossfade_domain::fleet::head::{FleetHead, RunState};
use serde_json::{Value, json};
use std::time::Duration;

/// How long the fleets may take, in real time.
const FLEETS_WITHIN: Duration = Duration::from_secs(8);

/// Wakes each fleet that this alarm stops and that moves: a new conductor looks at once, finds the alarm firing, and
/// holds or returns what is on its way.
pub(super) async fn stop_fleets(ports: &Ports, alarm: &str) -> Result<Vec<Value>, ActionError> {
    let doing = || format!("looking for the fleets that alarm {alarm} stops");
    within(ports, FLEETS_WITHIN, doing, wake(ports, alarm)).await
}

async fn wake(ports: &Ports, alarm: &str) -> Result<Vec<Value>, ActionError> {
    let heads = ports.fleets.fleets().await.doing(|| "reading the heads of the fleets")?;
    let moves = |head: &FleetHead| matches!(head.state, RunState::Running | RunState::Draining);
    let mut woken = Vec::new();
    for head in heads.iter().filter(|head| moves(head)) {
        let policy = match policy_of(ports, &head.fleet).await? {
            Ok(policy) => policy,
            // Its conductor starts nothing by that policy, and says so at every look.
            Err(why) => {
                tracing::error!(fleet = head.fleet, alarm, why, "nobody knows whether the alarm stops this fleet");
                continue;
            }
        };
        if policy.rollout.alarms.iter().any(|name| name == alarm) {
            let execution = replace_conductor(ports, head, format!("alarm {alarm} of the fleet fires")).await?;
            woken.push(json!({"fleet": head.fleet, "run": head.run, "execution": execution}));
        }
    }
    Ok(woken)
}
