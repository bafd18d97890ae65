//! Faults of AWS itself, as a scenario asks for them: the k-th call of an operation.

use crate::front_door::{Call, CallObserver, Fault};
use crate::lambda_host::LambdaHost;
use crate::scenario::{AwsEffect, AwsFault};
use std::sync::{Arc, Mutex, OnceLock, Weak};

/// Counts calls and asks for each fault once.
pub(super) struct AwsFaults {
    faults: Mutex<Vec<Counted>>,
    host: OnceLock<Weak<LambdaHost>>,
    /// Operation and caller of calls whose process is to be killed once they took effect.
    to_kill: Mutex<Vec<Call>>,
}

struct Counted {
    fault: AwsFault,
    calls: u32,
}

impl AwsFaults {
    pub(super) fn new(faults: Vec<AwsFault>) -> Self {
        let faults = faults.into_iter().map(|fault| Counted { fault, calls: 0 }).collect();
        Self { faults: Mutex::new(faults), host: OnceLock::new(), to_kill: Mutex::default() }
    }

    /// Names the host whose processes a fault may kill.
    pub(super) fn may_kill(&self, host: &Arc<LambdaHost>) {
        // It is named once, before the first call.
        let _named_before = self.host.set(Arc::downgrade(host));
    }
}

impl CallObserver for AwsFaults {
    fn before(&self, call: &Call) -> Fault {
        let mut faults = self.faults.lock().expect("no holder of the lock panics");
        for counted in faults.iter_mut() {
            let fault = &counted.fault;
            // Functions are deployed as `<stack>-<name>`.
            let caller = |name: &String| call.caller.as_ref().is_some_and(|caller| caller.ends_with(name.as_str()));
            if fault.operation != call.operation || !fault.by.as_ref().is_none_or(caller) {
                continue;
            }
            counted.calls += 1;
            if counted.calls != fault.call {
                continue;
            }
            return match fault.effect {
                AwsEffect::Throttle => Fault::Throttle,
                AwsEffect::FailBefore => Fault::FailBefore,
                AwsEffect::FailAfter => Fault::FailAfter,
                AwsEffect::LoseAnswer => Fault::DropAfter,
                AwsEffect::Hang => Fault::Hang,
                AwsEffect::Kill => {
                    self.to_kill.lock().expect("no holder of the lock panics").push(call.clone());
                    Fault::DropAfter
                }
            };
        }
        Fault::None
    }

    fn after(&self, call: &Call) {
        let mut to_kill = self.to_kill.lock().expect("no holder of the lock panics");
        let Some(index) = to_kill.iter().position(|doomed| doomed == call) else { return };
        to_kill.swap_remove(index);
        let host = self.host.get().and_then(Weak::upgrade);
        if let (Some(host), Some(caller)) = (host, &call.caller) {
            let killed = host.kill_instance(caller);
            tracing::info!(caller, killed, "killed a function in the middle of its work");
        }
    }
}
