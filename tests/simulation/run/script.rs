//! What disturbs a run: the scenario's script, and what faults at calls ask for.

use super::*;

impl Run<'_> {
    /// Does what the ports have asked for. True when there was something.
    pub(super) fn obey(&mut self) -> bool {
        let orders = std::mem::take(&mut self.account.calls.lock().unwrap().orders);
        let any = !orders.is_empty();
        for order in orders {
            match order {
                Order::Kill(number) => {
                    self.agenda.retain(|_, due| !matches!(due, Due::Deadline(of) if *of == number));
                    if let Some(invocation) = self.tasks.remove(&number)
                        && !invocation.late
                    {
                        self.reply(invocation.reply, Err(wiring::named("Runtime.ExitError", "signal: killed")));
                    }
                }
                Order::Hang(number) => {
                    if let Some(invocation) = self.tasks.get_mut(&number) {
                        invocation.hangs = true;
                    }
                }
                Order::Stop(number) => {
                    let own = self.tasks.get(&number).and_then(|invocation| invocation.execution.clone());
                    let execution = own.unwrap_or_else(|| self.execution.clone());
                    self.stop(&execution);
                }
                Order::Alarm(fault) => self.alarm(fault),
                Order::Recorded(name) => self.act_on(|when| matches!(when, When::Recorded(what) if *what == name)),
            }
        }
        any
    }

    pub(in crate::simulation) fn stop(&self, execution: &str) {
        let now = self.account.now();
        self.account.tell(|| format!("somebody stops {}", execution.rsplit(':').next().unwrap_or_default()));
        let mut states = self.account.states.lock().unwrap();
        states.stop(now, execution, None, Some("stopped by a person".to_owned())).unwrap();
    }

    pub(super) fn look_at_states(&mut self) {
        let entered = self.account.states.lock().unwrap().entered_states(&self.execution);
        let new = entered[self.entered.min(entered.len())..].to_vec();
        self.entered = entered.len();
        for state in new {
            self.act_on(|when| matches!(when, When::Entered(name) if *name == state));
        }
    }

    /// Does what of the script is due.
    pub(super) fn act_on(&mut self, due: impl Fn(&When) -> bool) {
        let script = std::mem::take(&mut self.script);
        let (now, later): (Vec<_>, Vec<_>) = script.into_iter().partition(|(when, _)| due(when));
        self.script = later;
        for (_, act) in now {
            let calls = self.account.calls.lock().unwrap().made.len();
            self.acted_at.get_or_insert(calls);
            self.account.tell(|| format!("script: {act:?}"));
            people::act(self, &act);
        }
    }
}
