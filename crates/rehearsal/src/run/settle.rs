//! Waits until every service is at rest.

use super::fleets::Conductors;
use super::progress::{Follower, Snapshot};
use super::scheduled_faults::ScheduledFaults;
use super::{Rehearsal, RehearsalError};
use crate::clock::Work;
use crate::report::{ActReport, RetirementReport};
use crossfade_actions::ports::Ledger;
use crossfade_domain::journal::{Head, Phase};
use jiff::Timestamp;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How often to check the world, in world time.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After how many checks to look for executions that may have ended.
const LOOKS_TO_ENDED: u32 = 10;
/// How often to show progress. In real time, because people watch it.
const SHOW_EVERY: Duration = Duration::from_millis(100);
/// How many checks old targets have to pass their first health check.
const LOOKS_FOR_TARGETS: u32 = 300;
/// How long the sweep may take to bring a service to rest after the last execution has ended, in world minutes.
const REST_WITHIN_MINUTES: i64 = 15;

/// What everything has come to.
pub(super) struct AtRest {
    /// The services' heads.
    pub(super) heads: Vec<Option<Head>>,
    /// The executions of `retire-service`.
    pub(super) retirements: Vec<RetirementReport>,
    /// The acts that were played.
    pub(super) acts: Vec<ActReport>,
}

impl Rehearsal {
    /// Waits until old targets have passed their first health check.
    pub(super) async fn wait_for_old_targets(&self, mut work: Work) -> Work {
        for _ in 0..LOOKS_FOR_TARGETS {
            if self.old_targets_are_healthy() {
                break;
            }
            work = self.clock.pause(work, LOOK_EVERY).await;
        }
        work
    }

    fn old_targets_are_healthy(&self) -> bool {
        let elbv2 = self.stage.elbv2.lock().expect("no holder of the lock panics");
        let counts = elbv2.host_counts();
        let mut routes = self.stage.services.iter().flat_map(|service| &service.routes);
        routes.all(|route| {
            let wanted = elbv2.targets_of(&route.old_group).len();
            let mut of_group = counts.iter().filter(|counts| counts.group == route.old_group);
            of_group.all(|counts| counts.healthy >= wanted)
        })
    }

    /// Checks until every execution is over and every migration is at rest; returns what they have come to.
    pub(super) async fn until_at_rest(
        &self,
        arns: &mut [Option<String>],
        ledger: &dyn Ledger,
        scheduled_faults: &mut ScheduledFaults,
        follower: &Follower<'_>,
        progress: &watch::Sender<Snapshot>,
        mut work: Work,
    ) -> Result<(AtRest, Work), RehearsalError> {
        let mut shown = Instant::now();
        let mut over_since: Option<Timestamp> = None;
        let mut conductors = Conductors::new(self);
        let mut retirements = Vec::new();
        for look in 0_u32.. {
            let all_started = self.start_due(arns, follower.world_began)?
                & self.conduct_due(&mut conductors, follower.world_began)?
                & self.retire_due(&mut retirements, follower.world_began)?;
            scheduled_faults.update(self, arns, &follower.weights())?;
            if shown.elapsed() >= SHOW_EVERY {
                shown = Instant::now();
                progress.send_replace(follower.snapshot(arns));
            }
            if look % LOOKS_TO_ENDED == 0 {
                self.follow_conducted(arns, ledger).await?;
                self.draw_for_running(arns, follower)?;
                if all_started && self.executions_are_over()? && self.retirements_rest(&retirements)? {
                    let now = self.clock.now();
                    let since = *over_since.get_or_insert(now);
                    let late = now.duration_since(since).as_mins() >= REST_WITHIN_MINUTES;
                    let heads = self.heads(ledger).await?;
                    let at_rest = |head: &Head| head.phase.is_over() || head.phase == Phase::Halted;
                    if late || (heads.iter().flatten().all(at_rest) && !self.one_may_go_on(&retirements)) {
                        progress.send_replace(follower.snapshot(arns));
                        let retirements = self.retirement_reports(&retirements)?;
                        let rest = AtRest { heads, retirements, acts: Vec::new() };
                        return Ok((rest, work));
                    }
                } else {
                    over_since = None;
                }
            }
            work = self.clock.pause(work, LOOK_EVERY).await;
        }
        unreachable!("no rehearsal takes 136 years")
    }

    /// Starts the services that are due; returns whether all services to start are started.
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

    /// Draws requests only for the services whose executions are running.
    pub(super) fn draw_for_running(
        &self,
        arns: &[Option<String>],
        follower: &Follower<'_>,
    ) -> Result<(), RehearsalError> {
        for (service, arn) in arns.iter().enumerate() {
            follower.traffic.draw(service, self.is_running(arn.as_ref())?);
        }
        Ok(())
    }

    async fn heads(&self, ledger: &dyn Ledger) -> Result<Vec<Option<Head>>, RehearsalError> {
        let mut heads = Vec::new();
        for service in &self.scenario.services {
            heads.push(ledger.head(&service.name).await?);
        }
        Ok(heads)
    }
}
