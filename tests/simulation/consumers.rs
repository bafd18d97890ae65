//! What the hooks of a run move: the consumers of the service's events. Each call of a hook is a call like all others:
//! it takes time and may go wrong.

use super::account::Account;
use super::outside::OutsideDoes;
use super::ports::{Caller, SimulatedPorts};
use super::run::SimulatedRun;
use super::scenario::Outcome;
use super::watch::Watch;
use super::wiring::named;
use crossfade_actions::ports::PortError;
use crossfade_domain::journal::EventKind;
use crossfade_world::states::TaskError;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;

/// How a call of a hook ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HookDoes {
    Answers,
    Fails,
    /// It does its work, and its time is over before it answers.
    Hangs,
    /// It answers, and says how many requests each new target has answered.
    SaysWarmed(i64),
}

/// The hooks of a run.
#[derive(Debug, Default)]
pub(crate) struct HookCalls {
    /// What the next calls of hooks do; from then on they answer.
    pub(crate) do_next: VecDeque<HookDoes>,
    /// What the hooks and the outside gates were called with.
    pub(crate) calls: Vec<Value>,
    /// What an outside gate does; it lets every step pass where nothing is said.
    pub(crate) outside: Option<OutsideDoes>,
}

/// Where the consumers are.
#[derive(Debug, Default)]
pub(super) struct Consumers {
    /// Whether the policy has hooks that move them.
    pub(super) follow: bool,
    on_the_new_side: bool,
    /// Calls of hooks that took effect.
    moves: u32,
}

/// Gives the policy its hooks.
pub(super) fn follow(watch: &mut Watch) {
    watch.consumers.follow = true;
    watch.setup.policy["hooks"] = json!({"beforeFirstShift": "crossfade-hook-consumers",
        "afterEachShift": "crossfade-hook-consumers", "afterRollback": "crossfade-hook-consumers"});
}

/// Runs the hook on its payload. A hook knows that a throttled call is worth another try, and gives up at every other
/// error.
pub(super) async fn hook(account: Arc<Account>, caller: Caller, payload: Value) -> Result<Value, TaskError> {
    let ports = SimulatedPorts { account: Arc::clone(&account), caller };
    let does = {
        let mut hooks = account.hooks.lock().unwrap();
        hooks.calls.push(payload.clone());
        hooks.do_next.pop_front()
    };
    let mut answer = json!({});
    match does {
        None | Some(HookDoes::Answers) => {}
        Some(HookDoes::SaysWarmed(requests)) => answer["warmed"] = requests.into(),
        Some(HookDoes::Fails) => return Err(named("KafkaIsDown", "no broker answers")),
        Some(HookDoes::Hangs) => std::future::pending().await,
    }
    let point = payload["cursor"]["hook"]["point"].as_str().unwrap_or_default().to_owned();
    let effect = || -> Result<(), PortError> {
        account.tell_watch(|watch| {
            watch.consumers.on_the_new_side = point != "afterRollback";
            watch.consumers.moves += 1;
        });
        Ok(())
    };
    match ports.call("hook", &point, effect).await {
        Ok(()) => {
            answer["reason"] = format!("{point} moved the consumers").into();
            Ok(answer)
        }
        Err(PortError::Throttled { .. }) => Err(named("Transient", "Kafka asks for patience")),
        Err(_) => Err(named("KafkaIsDown", "no broker answers")),
    }
}

/// Traffic is raised only when the first hook has moved the consumers.
pub(super) fn look_at(watch: &mut Watch, kind: &EventKind) {
    let raises = matches!(kind, EventKind::ShiftIntended { step, .. } if *step > 0);
    if watch.consumers.follow && raises {
        let there = watch.consumers.on_the_new_side;
        watch.expect(13, there, || "a shift began before the hook had moved the consumers".to_owned());
    }
}

/// At rest the consumers are where the traffic is. Only a hook that failed leaves them, and that halts.
pub(super) fn at_rest(run: &SimulatedRun, outcome: Option<Outcome>) {
    let mut watch = run.account.watch();
    if !watch.consumers.follow {
        return;
    }
    let there = watch.consumers.on_the_new_side;
    let expected = match outcome {
        Some(Outcome::Migrated) => true,
        Some(Outcome::RolledBack | Outcome::Refused) => false,
        Some(Outcome::Halted) | None => there,
    };
    let moves = watch.consumers.moves;
    watch.expect(13, there == expected, || {
        format!("{outcome:?}, and the consumers are on the new side: {there}, after {moves} moves")
    });
}
