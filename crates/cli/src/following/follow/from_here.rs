//! Sends the requests of probes from this machine, while a migration that is followed waits for them.

use super::Follow;
use crate::ending::failure::Failure;
use crate::view::console::Console;
use crossfade_actions::error::ErrorClass;
use crossfade_actions::operator::probe_from_here::{Sent, open_round, send_probes};
use crossfade_domain::journal::Head;
use crossfade_domain::journal::probe_round::ProbeRound;
use crossfade_domain::journal::wording::counted;
use crossfade_domain::plan::Plan;
use crossfade_domain::policy::calling::ProbeFrom;
use jiff::{SignedDuration, Timestamp};

/// Between two attempts in world time, where nothing answers: a tunnel may come up.
const AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(30);

/// What this command has done about probes.
#[derive(Default)]
pub(super) struct FromHere {
    /// The plan was looked at.
    noted: bool,
    /// The round that this command has announced.
    announced: Option<u64>,
    /// The round with which this command is done.
    done: Option<u64>,
    /// When it may ask again.
    next: Option<Timestamp>,
    /// The listeners that did not answer, as they were last printed.
    unreachable: Vec<String>,
}

impl Follow<'_> {
    /// Sends the probes from this machine where the migration waits for them.
    #[must_use]
    pub fn probing_from_here(mut self, wanted: bool) -> Self {
        self.from_here = wanted.then(Box::default);
        self
    }

    /// Sends the requests of the round that is open, if any, and reports.
    ///
    /// # Errors
    /// No access.
    pub(super) async fn probe_from_here(
        &mut self,
        head: Option<&Head>,
        console: &mut Console<'_>,
    ) -> Result<(), Failure> {
        let (Some(head), Some(plan)) = (head, self.plan.clone()) else { return Ok(()) };
        let Some(mut state) = self.from_here.take() else { return Ok(()) };
        let sent = self.send(head, &plan, &mut state, console).await;
        self.from_here = Some(state);
        sent
    }

    async fn send(
        &self,
        head: &Head,
        plan: &Plan,
        state: &mut FromHere,
        console: &mut Console<'_>,
    ) -> Result<(), Failure> {
        if !std::mem::replace(&mut state.noted, true)
            && let Some(nothing) = nothing_from_here(head, plan)
        {
            self.say(&nothing, console);
        }
        let now = self.session.now();
        let is_due = |round: &&ProbeRound| state.done != Some(round.number) && state.next.is_none_or(|at| now >= at);
        let Some(round) = open_round(head).filter(is_due) else { return Ok(()) };
        if state.announced != Some(round.number) {
            state.announced = Some(round.number);
            self.say(&announcement(round), console);
        }
        let who = &self.session.caller.arn;
        let said = match send_probes(&self.session.ports, head, plan, who).await {
            Ok(Sent::Reported { reason, .. }) => {
                state.done = Some(round.number);
                format!("reported: {reason}")
            }
            Ok(Sent::Another { who }) => {
                state.done = Some(round.number);
                format!("{who} has reported on these probes first; that report counts")
            }
            // The next look shows what the migration does now.
            Ok(Sent::Over) => return Ok(()),
            Ok(Sent::Unreachable { listeners }) => {
                state.next = Some(self.session.now() + AGAIN_AFTER);
                if state.unreachable == listeners {
                    return Ok(());
                }
                let said = unreachable(head, round, &listeners);
                state.unreachable = listeners;
                said
            }
            Err(error) if error.class() == ErrorClass::Transient => {
                format!("sending the probes again; no answer: {}", error.chain())
            }
            Err(error) => return Err(self.failed(self.session.failed(&error))),
        };
        self.say(&said, console);
        Ok(())
    }
}

/// Why no probe is ever sent from here.
fn nothing_from_here(head: &Head, plan: &Plan) -> Option<String> {
    if plan.policy.probes.is_empty() {
        return Some(format!("the policy of {} has no probes, so none is sent from here", head.service));
    }
    (plan.probe_from == ProbeFrom::Function).then(|| {
        format!(
            "{} was started without --probe-from-here, so a function sends its probes and none is sent from here",
            head.migration
        )
    })
}

fn announcement(round: &ProbeRound) -> String {
    let requests = round.rules.iter().map(|rule| rule.requests.len()).sum::<usize>();
    let listeners: Vec<String> =
        round.rules.iter().map(|rule| format!("port {} of {}", rule.port, rule.listener.load_balancer())).collect();
    format!("sending {} from here in 10 s, through {}", counted(requests, "probe"), listeners.join(", "))
}

fn unreachable(head: &Head, round: &ProbeRound, listeners: &[String]) -> String {
    format!(
        "nothing answers from here through {}; nothing is reported\n  the security group of the load balancer must \
         admit this machine, or run `crossfade wait {} --probe-from-here` on one that it admits; the migration waits \
         until {} and then goes back",
        listeners.join(", "),
        head.service,
        round.ends_at().strftime("%H:%M:%S UTC")
    )
}
