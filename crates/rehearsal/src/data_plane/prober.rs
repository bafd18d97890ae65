//! Health checks: real GETs to the targets at their group's interval in world time.

use super::{DataPlaneSettings, locked, world_latency};
use bytes::Bytes;
use crossfade_world::elbv2::{Probe, ProbeOutcome};
use http::Request;
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::collections::HashSet;
use std::time::Duration;
use tokio::task::JoinSet;

/// New targets and rules are noticed within this real time.
const LOOK_EVERY: Duration = Duration::from_millis(20);

type ProbeClient = Client<HttpConnector, Empty<Bytes>>;
type TargetKey = (String, String, u16);

pub(super) async fn probe(settings: DataPlaneSettings) {
    let client: ProbeClient = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(1).build_http();
    let mut under_way = JoinSet::new();
    let mut waited_for: HashSet<TargetKey> = HashSet::new();
    loop {
        let due = locked(&settings.elbv2).probes_due(settings.clock.now());
        for probe in due {
            let key = (probe.group.clone(), probe.target.clone(), probe.target_port);
            // A target that hangs is waited for once: in a fast world many intervals fit into its timeout.
            if waited_for.insert(key.clone()) {
                let (client, settings) = (client.clone(), settings.clone());
                under_way.spawn(async move {
                    let outcome = outcome_of(&client, &settings, &probe).await;
                    locked(&settings.elbv2).probe_result(&probe.group, &probe.target, probe.target_port, outcome);
                    key
                });
            }
        }
        let next = locked(&settings.elbv2).next_probe_at();
        let pause = next.map_or(LOOK_EVERY, |next| settings.clock.real_until(next).min(LOOK_EVERY));
        tokio::select! {
            () = tokio::time::sleep(pause.max(Duration::from_millis(1))) => {}
            Some(Ok(key)) = under_way.join_next() => {
                waited_for.remove(&key);
            }
        }
        while let Some(ended) = under_way.try_join_next() {
            if let Ok(key) = ended {
                waited_for.remove(&key);
            }
        }
    }
}

async fn outcome_of(client: &ProbeClient, settings: &DataPlaneSettings, probe: &Probe) -> ProbeOutcome {
    let directory = &settings.directory;
    let place = directory
        .find(&probe.target, probe.port)
        // A fixed health check port is served by the same local server.
        .or_else(|| directory.find(&probe.target, probe.target_port));
    let Some(address) = place else { return ProbeOutcome::Failed };
    let request = Request::builder()
        .uri(format!("http://{address}{}", probe.path))
        .header("user-agent", "ELB-HealthChecker/2.0")
        .body(Empty::new());
    let Ok(request) = request else { return ProbeOutcome::Failed };
    match tokio::time::timeout(probe.timeout, client.request(request)).await {
        Err(_) => ProbeOutcome::TimedOut,
        Ok(Err(_)) => ProbeOutcome::Failed,
        Ok(Ok(response)) if world_latency(response.headers()).is_some_and(|took| took > probe.timeout) => {
            ProbeOutcome::TimedOut
        }
        Ok(Ok(response)) => ProbeOutcome::Status(response.status().as_u16()),
    }
}
