//! Waiting until every service is at rest.

use super::happenings::Happenings;
use super::progress::{Follower, Snapshot};
use super::return_times::ReturnTimes;
use super::{Access, Rehearsal, RehearsalError};
use crossfade_domain::journal::{Head, Phase};
use crossfade_world::states::Status;
use jiff::Timestamp;
use serde_json::json;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How often the world is looked at, in real time.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How often progress is shown.
const SHOW_EVERY: Duration = Duration::from_millis(100);
/// How long the table may be silent at the end, in real time.
const ANSWERS_WITHIN: Duration = Duration::from_mins(1);
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
        arns: &mut [Option<String>],
        access: &Access,
        happenings: &mut Happenings,
        return_times: &mut ReturnTimes,
        follower: &Follower<'_>,
        progress: &watch::Sender<Snapshot>,
    ) -> Result<Vec<Option<Head>>, RehearsalError> {
        let mut shown = Instant::now();
        let mut over_since: Option<Instant> = None;
        loop {
            let all_started = self.start_due(arns, follower.world_began)?;
            happenings.update(self, arns, &follower.weights())?;
            if shown.elapsed() >= SHOW_EVERY {
                shown = Instant::now();
                progress.send_replace(follower.snapshot(arns));
                self.look_at_ended(arns, access, return_times, follower).await?;
            }
            if all_started && self.executions_are_over(arns)? {
                let since = *over_since.get_or_insert_with(Instant::now);
                let late = since.elapsed().as_secs_f64() * self.clock.scale() > REST_WITHIN_MINUTES * 60.0;
                let heads = match self.heads(access).await {
                    // A machine that is busy with other work may be late with an answer; that is no end of the rehearsal.
                    Err(error) if since.elapsed() < ANSWERS_WITHIN => {
                        tracing::warn!(%error, "the table did not answer; looking again");
                        tokio::time::sleep(SHOW_EVERY).await;
                        continue;
                    }
                    heads => heads?,
                };
                if late || heads.iter().flatten().all(|head| head.phase.is_over() || head.phase == Phase::Halted) {
                    self.look_at_ended(arns, access, return_times, follower).await?;
                    progress.send_replace(follower.snapshot(arns));
                    return Ok(heads);
                }
                tokio::time::sleep(SHOW_EVERY).await;
            } else {
                over_since = None;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Starts the services whose time has come; tells whether all are started that are to be.
    fn start_due(&self, arns: &mut [Option<String>], world_began: Timestamp) -> Result<bool, RehearsalError> {
        let minutes = self.clock.now().duration_since(world_began).as_secs_f64() / 60.0;
        let mut all = true;
        for (service, arn) in self.scenario.services.iter().zip(arns).filter(|(service, _)| service.start) {
            if arn.is_none() && minutes >= service.start_minute {
                let input = json!({"service": service.name});
                let name = format!("{}-rehearsal", service.name);
                let started = self.executions.start_execution(&self.machine, Some(&name), input)?;
                self.aws_faults.may_stop(service.name.as_str(), &started);
                *arn = Some(started);
            }
            all &= arn.is_some();
        }
        Ok(all)
    }

    /// Draws requests for the services whose executions run alone, and looks at those that have ended and of which the bare
    /// calls are not measured yet.
    async fn look_at_ended(
        &self,
        arns: &[Option<String>],
        access: &Access,
        return_times: &mut ReturnTimes,
        follower: &Follower<'_>,
    ) -> Result<(), RehearsalError> {
        for (service, arn) in arns.iter().enumerate() {
            let status = arn.as_ref().map(|arn| self.executions.describe(arn)).transpose()?.map(|shown| shown.status);
            follower.traffic.draw(service, status == Some(Status::Running));
            // A migration that succeeded was not rolled back.
            if status == Some(Status::Failed) && !return_times.knows(service) {
                // No answer now is an answer at the next look.
                let head = access.ledger.head(&self.scenario.services[service].name).await.ok().flatten();
                return_times.look(self, access, service, head.as_ref());
            }
        }
        Ok(())
    }

    /// Whether no migration and no rollback is running.
    fn executions_are_over(&self, arns: &[Option<String>]) -> Result<bool, RehearsalError> {
        for arn in arns.iter().flatten() {
            if self.executions.describe(arn)?.status == Status::Running {
                return Ok(false);
            }
        }
        let rolling_back = self.executions.running(&self.endpoints.roll_back_machine)?;
        Ok(rolling_back == 0)
    }

    async fn heads(&self, access: &Access) -> Result<Vec<Option<Head>>, RehearsalError> {
        let mut heads = Vec::new();
        for service in &self.scenario.services {
            heads.push(access.ledger.head(&service.name).await?);
        }
        Ok(heads)
    }
}
