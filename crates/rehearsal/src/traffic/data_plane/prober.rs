//! Health checks: real GETs to the targets at their group's interval in world time.

use super::{DataPlaneSettings, HANGS_AFTER, locked, world_latency};
use crate::clock::Turn;
use bytes::Bytes;
use crossfade_world::elbv2::{Probe, ProbeOutcome};
use http::Request;
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jiff::SignedDuration;

/// How soon new targets and rules are noticed, in world time.
const LOOK_EVERY: SignedDuration = SignedDuration::from_secs(1);

type ProbeClient = Client<HttpConnector, Empty<Bytes>>;

pub(super) async fn probe(settings: DataPlaneSettings, first: Turn) {
    let client: ProbeClient = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(1).build_http();
    let mut turn = first;
    loop {
        let _work = turn.await;
        let now = settings.clock.now();
        let due = locked(&settings.elbv2).probes_due(now);
        let outcomes = due.iter().map(|probe| outcome_of(&client, &settings, probe));
        let outcomes = futures::future::join_all(outcomes).await;
        let mut elbv2 = locked(&settings.elbv2);
        for (probe, outcome) in due.iter().zip(outcomes) {
            elbv2.probe_result(&probe.group, &probe.target, probe.target_port, outcome);
        }
        let next = elbv2.next_probe_at().map_or(now + LOOK_EVERY, |next| next.min(now + LOOK_EVERY));
        turn = settings.clock.at(next);
    }
}

async fn outcome_of(client: &ProbeClient, settings: &DataPlaneSettings, probe: &Probe) -> ProbeOutcome {
    let directory = &settings.directory;
    let place = directory
        .find(&probe.target, probe.port)
        // The same local server serves a fixed health check port.
        .or_else(|| directory.find(&probe.target, probe.target_port));
    let Some(address) = place else { return ProbeOutcome::Failed };
    let request = Request::builder()
        .uri(format!("http://{address}{}", probe.path))
        .header("user-agent", "ELB-HealthChecker/2.0")
        .body(Empty::new());
    let Ok(request) = request else { return ProbeOutcome::Failed };
    match tokio::time::timeout(HANGS_AFTER, client.request(request)).await {
        Err(_) => ProbeOutcome::TimedOut,
        Ok(Err(_)) => ProbeOutcome::Failed,
        Ok(Ok(response)) if world_latency(response.headers()).is_some_and(|took| took > probe.timeout) => {
            ProbeOutcome::TimedOut
        }
        Ok(Ok(response)) => ProbeOutcome::Status(response.status().as_u16()),
    }
}
