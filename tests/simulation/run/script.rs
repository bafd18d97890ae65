//! What disturbs a run: the scenario's script, and the orders of faults at calls.

use super::*;

impl SimulatedRun {
    /// Carries out the orders of the ports. Returns whether there was one.
    pub(super) fn carry_out_orders(&mut self) -> bool {
        let orders = self.account.take_orders();
        let any = !orders.is_empty();
        for order in orders {
            match order {
                Order::Kill(number) => {
                    self.agenda.retain(|_, due| !matches!(due, Due::Deadline(of) if *of == number));
                    if let Some(invocation) = self.tasks.remove(&number)
                        && !invocation.late
                    {
                        let answer = Err(wiring::named("Runtime.ExitError", "signal: killed"));
                        self.answered(&invocation.caller, invocation.reply, answer);
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
                Order::Recorded(name) => self.run_script(|when| matches!(when, When::Recorded(what) if *what == name)),
            }
        }
        any
    }

    pub(in crate::simulation) fn stop(&self, execution: &str) {
        let now = self.account.now();
        self.account.tell(|| format!("somebody stops {}", execution.rsplit(':').next().unwrap_or_default()));
        let cause = Some("stopped by a person".to_owned());
        self.account.machines.with(|states| states.stop(now, execution, None, cause)).unwrap();
    }

    pub(super) fn check_entered_states(&mut self) {
        let entered = self.account.machines.with(|states| states.entered_states(&self.execution));
        let new = entered[self.entered.min(entered.len())..].to_vec();
        self.entered = entered.len();
        for state in new {
            self.run_script(|when| matches!(when, When::Entered(name) if *name == state));
        }
    }

    /// Runs the part of the script that is due.
    pub(in crate::simulation) fn run_script(&mut self, due: impl Fn(&When) -> bool) {
        let script = std::mem::take(&mut self.script);
        let (now, later): (Vec<_>, Vec<_>) = script.into_iter().partition(|(when, _)| due(when));
        self.script = later;
        for (_, act) in now {
            let calls = self.account.calls.count();
            self.acted_at.get_or_insert(calls);
            self.account.tell(|| format!("script: {act:?}"));
            people::act(self, &act);
        }
    }
}
