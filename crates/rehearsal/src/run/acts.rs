//! Plays the acts of a scenario, one after the other, with the code that an operator's commands run.

mod bind;
mod first;
mod fleet;
mod last;
mod wires;

use super::progress::Follower;
use super::scheduled_faults::ScheduledFaults;
use super::settle::{AtRest, LOOK_EVERY};
use super::traffic::Traffic;
use super::{Rehearsal, RehearsalError, Snapshot};
use crate::report::ActReport;
use crate::scenario::{ActDeed, ActScenario};
use crate::wiring::STACK;
use crossfade_actions::error::ActionError;
use crossfade_actions::ports::{PortError, Ports};
use crossfade_domain::journal::{Head, Phase};
use crossfade_domain::names::ServiceName;
use crossfade_domain::policy::service_policy::FleetPolicy;
use crossfade_world::states::Description;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// After how many looks at the world to look for migrations that have begun.
const LOOKS_TO_FOLLOW: u32 = 10;
/// How often to show progress. In real time, because people watch it.
const SHOW_EVERY: Duration = Duration::from_millis(100);
/// How long services may take to come to rest after the last execution has ended, in looks.
const LOOKS_TO_REST: u32 = 900;
/// The state in which an execution waits for a person, which no act does.
const WAITS_FOR_APPROVAL: &str = "Wait for approval";

/// What an act has counted, in words too, and what went wrong.
pub(super) struct Played {
    counts: BTreeMap<&'static str, u64>,
    summary: String,
    wrong: Vec<String>,
}

impl Played {
    fn new<const N: usize>(counts: [(&'static str, usize); N], summary: String, wrong: Vec<String>) -> Self {
        let count = |(name, count)| (name, u64::try_from(count).unwrap_or(u64::MAX));
        Self { counts: counts.into_iter().map(count).collect(), summary, wrong }
    }
}

/// An execution that an act began, and that has ended or waits for a person.
struct Ended {
    service: ServiceName,
    state: String,
    reason: String,
}

/// Who plays the acts.
pub(super) struct Player<'a> {
    rehearsal: &'a Rehearsal,
    /// The ports, with a clock that gives the player's work back in every pause.
    ports: &'a Ports,
    traffic: &'a Traffic,
    follower: &'a Follower<'a>,
    faults: &'a mut ScheduledFaults,
    arns: &'a mut [Option<String>],
    progress: &'a watch::Sender<Snapshot>,
    shown: Instant,
    looks: u32,
    /// The document that the survey drafted.
    draft: Option<Value>,
    /// The policy that was stored.
    policy: Option<FleetPolicy>,
    /// The names of the new groups of internal routes on load balancers of their own.
    copies: Vec<String>,
    acts: Vec<ActReport>,
}

impl<'a> Player<'a> {
    pub(super) fn new(
        rehearsal: &'a Rehearsal,
        ports: &'a Ports,
        (traffic, follower): (&'a Traffic, &'a Follower<'a>),
        faults: &'a mut ScheduledFaults,
        arns: &'a mut [Option<String>],
        progress: &'a watch::Sender<Snapshot>,
    ) -> Self {
        let (shown, looks, draft, policy) = (Instant::now(), 0, None, None);
        let (copies, acts) = (Vec::new(), Vec::new());
        Self { rehearsal, ports, traffic, follower, faults, arns, progress, shown, looks, draft, policy, copies, acts }
    }

    /// Plays every act. The first one that does not end as expected is the last.
    pub(super) async fn play(mut self) -> Result<AtRest, RehearsalError> {
        let rehearsal = self.rehearsal;
        for act in &rehearsal.scenario.acts {
            self.pause(Duration::from_secs_f64(act.after_minutes * 60.0)).await?;
            let began = self.seconds();
            self.show(Some(act.deed.name()));
            let Played { counts, summary, wrong } = self.one(act).await?;
            let unmet = ActReport::unmet_of(act, &counts, wrong);
            let failed = !unmet.is_empty();
            let (act, world_seconds) = (act.deed.name(), self.seconds() - began);
            self.acts.push(ActReport { act, began_seconds: began, world_seconds, counts, summary, unmet });
            self.show(None);
            if failed {
                break;
            }
        }
        self.follow().await?;
        Ok(AtRest { heads: self.heads().await?, retirements: Vec::new(), acts: self.acts })
    }

    async fn one(&mut self, act: &ActScenario) -> Result<Played, RehearsalError> {
        match act.deed {
            ActDeed::Discover => self.discover().await,
            ActDeed::Policy => self.complete_policy(act).await,
            ActDeed::Connect => self.connect(act).await,
            ActDeed::Wire => self.wire().await,
            ActDeed::Bind => self.bind().await,
            ActDeed::Migrate => self.migrate().await,
            ActDeed::Repair => Ok(self.repair(act)),
            ActDeed::Retry => self.retry(act).await,
            ActDeed::Retire => self.retire(act).await,
            ActDeed::WireDirectly => self.wire_directly().await,
            ActDeed::Disconnect => self.disconnect(act).await,
            ActDeed::Look => self.look().await,
        }
    }

    /// World seconds since the load began.
    fn seconds(&self) -> f64 {
        self.ports.clock.now().duration_since(self.follower.world_began).as_secs_f64()
    }

    fn policy(&self) -> &FleetPolicy {
        self.policy.as_ref().expect("the decoder has checked that a policy is stored first")
    }

    /// Lets world time pass, one look at a time.
    async fn pause(&mut self, span: Duration) -> Result<(), RehearsalError> {
        let until = self.seconds() + span.as_secs_f64();
        while self.seconds() < until {
            self.tick().await?;
        }
        Ok(())
    }

    /// Lets a second of the world pass, and brings everything up to date.
    async fn tick(&mut self) -> Result<(), RehearsalError> {
        self.ports.clock.pause(LOOK_EVERY).await;
        self.faults.update(self.rehearsal, self.arns, &self.follower.weights())?;
        self.looks += 1;
        if self.looks.is_multiple_of(LOOKS_TO_FOLLOW) {
            self.follow().await?;
        }
        if self.shown.elapsed() >= SHOW_EVERY {
            self.show(self.rehearsal.scenario.acts.get(self.acts.len()).map(|act| act.deed.name()));
        }
        Ok(())
    }

    fn show(&mut self, act: Option<&'static str>) {
        self.shown = Instant::now();
        let snapshot = self.follower.snapshot(self.arns);
        self.progress.send_replace(Snapshot { act, acts: self.acts.clone(), ..snapshot });
    }

    /// Finds the executions of the services that the fleet has started, and draws requests for those that move.
    async fn follow(&mut self) -> Result<(), RehearsalError> {
        self.follower.learn(&self.copies);
        for (index, head) in self.heads().await?.into_iter().enumerate() {
            if let Some(head) = head.filter(|head| self.rehearsal.executions.describe(&head.execution).is_ok()) {
                self.arns[index] = Some(head.execution);
            }
        }
        self.rehearsal.draw_for_running(self.arns, self.follower)
    }

    async fn heads(&self) -> Result<Vec<Option<Head>>, RehearsalError> {
        let names: Vec<ServiceName> = self.rehearsal.scenario.services.iter().map(|it| it.name.clone()).collect();
        let found = self.ports.ledger.heads(&names).await?;
        Ok(names.iter().map(|name| found.iter().find(|head| head.service == *name).cloned()).collect())
    }

    /// Waits until no migration and no conductor runs, and every service rests.
    async fn until_rest(&mut self) -> Result<(), RehearsalError> {
        let mut over = 0;
        while over < LOOKS_TO_REST {
            self.tick().await?;
            if !self.looks.is_multiple_of(LOOKS_TO_FOLLOW) {
                continue;
            }
            over = if self.rehearsal.executions_are_over()? { over + LOOKS_TO_FOLLOW } else { 0 };
            let at_rest = |head: &Head| head.phase.is_over() || head.phase == Phase::Halted;
            if over > 0 && self.heads().await?.iter().flatten().all(at_rest) {
                break;
            }
        }
        Ok(())
    }

    /// Runs executions of a machine, some at a time, and waits for the end of all.
    async fn run_all(
        &mut self,
        (machine, verb): (&str, &str),
        inputs: Vec<(ServiceName, Value)>,
        side_by_side: usize,
    ) -> Result<Vec<Ended>, RehearsalError> {
        let (executions, machine) = (&self.rehearsal.executions, format!("{STACK}-{machine}"));
        let mut waiting: VecDeque<(ServiceName, Value)> = inputs.into();
        let mut running: Vec<(ServiceName, String)> = Vec::new();
        let mut ended = Vec::new();
        while !waiting.is_empty() || !running.is_empty() {
            while running.len() < side_by_side
                && let Some((service, input)) = waiting.pop_front()
            {
                let arn = executions.start_execution(&machine, Some(&format!("{verb}-{service}")), input)?;
                running.push((service, arn));
            }
            self.tick().await?;
            let mut left = Vec::new();
            for (service, arn) in running {
                let state = executions.entered_states(&arn).pop().unwrap_or_default();
                let Description { stop_date, .. } = executions.describe(&arn)?;
                if stop_date.is_none() && state != WAITS_FOR_APPROVAL {
                    left.push((service, arn));
                    continue;
                }
                let (reason, _) = executions.last_reason(&arn);
                ended.push(Ended { service, state, reason });
            }
            running = left;
        }
        Ok(ended)
    }
}

/// What went wrong with those that did not end in one of these states.
fn not_in(ended: &[Ended], states: &[&str]) -> Vec<String> {
    let bad = ended.iter().filter(|one| !states.contains(&one.state.as_str()));
    bad.map(|one| format!("{} ended in {:?}: {}", one.service, one.state, one.reason)).collect()
}

/// An act that cannot read what it needs cannot be played.
fn unplayed(doing: &str) -> impl FnOnce(PortError) -> RehearsalError {
    let doing = doing.to_owned();
    |source| RehearsalError::Act(ActionError::Port { doing, source })
}

/// `1 rule`, `2 rules`.
fn counted(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}
