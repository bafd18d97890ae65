//! Waiting until every service is at rest.

use super::cluster_faults::ClusterFaults;
use super::disturbances::Disturbances;
use super::progress::{Follower, Snapshot};
use super::{Rehearsal, RehearsalError};
use crossfade_actions::ports::Ledger;
use crossfade_domain::journal::{Head, Phase};
use crossfade_world::states::Status;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How often the world is looked at, in real time.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How often progress is shown.
const SHOW_EVERY: Duration = Duration::from_millis(100);
/// After the last execution has ended, how long a service may take to come to rest by the sweep, in world minutes.
const REST_WITHIN_MINUTES: f64 = 15.0;

impl Rehearsal {
    /// Gives old targets the time to pass their first health check.
    pub(super) async fn wait_for_old_targets(&self) {
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline {
            let all_healthy = {
                let elbv2 = self.stage.elbv2.lock().expect("no holder of the lock panics");
                let counts = elbv2.host_counts();
                let mut routes = self.stage.services.iter().flat_map(|service| &service.routes);
                routes.all(|route| {
                    let wanted = elbv2.targets_of(&route.old_group).len();
                    counts
                        .iter()
                        .filter(|counts| counts.group == route.old_group)
                        .all(|counts| counts.healthy >= wanted)
                })
            };
            if all_healthy {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Looks on until every execution is over and every migration rests; gives the services' heads.
    pub(super) async fn until_at_rest(
        &self,
        arns: &[String],
        ledger: &Arc<dyn Ledger>,
        (faults, disturbances): (&mut ClusterFaults, &mut Disturbances),
        follower: &Follower<'_>,
        progress: &watch::Sender<Snapshot>,
    ) -> Result<Vec<Option<Head>>, RehearsalError> {
        let mut shown = Instant::now();
        let mut over_since: Option<Instant> = None;
        loop {
            let weights = follower.weights();
            faults.update(self.clock.now(), &weights);
            disturbances.update(self, arns, &weights)?;
            if shown.elapsed() >= SHOW_EVERY {
                shown = Instant::now();
                progress.send_replace(follower.snapshot());
            }
            if self.executions_are_over(arns)? {
                let since = *over_since.get_or_insert_with(Instant::now);
                let heads = self.heads(ledger).await?;
                let late = since.elapsed().as_secs_f64() * self.clock.scale() > REST_WITHIN_MINUTES * 60.0;
                if late || heads.iter().flatten().all(|head| head.phase.is_over() || head.phase == Phase::Halted) {
                    progress.send_replace(follower.snapshot());
                    return Ok(heads);
                }
                tokio::time::sleep(SHOW_EVERY).await;
            } else {
                over_since = None;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Whether no migration and no rollback is running.
    fn executions_are_over(&self, arns: &[String]) -> Result<bool, RehearsalError> {
        for arn in arns {
            if self.executions.describe(arn)?.status == Status::Running {
                return Ok(false);
            }
        }
        let rolling_back = self.executions.running(&self.endpoints.roll_back_machine)?;
        Ok(rolling_back == 0)
    }

    async fn heads(&self, ledger: &Arc<dyn Ledger>) -> Result<Vec<Option<Head>>, RehearsalError> {
        let mut heads = Vec::new();
        for service in &self.scenario.services {
            heads.push(ledger.head(&service.name).await?);
        }
        Ok(heads)
    }
}
