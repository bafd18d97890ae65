//! The SDK's own retries between an action and the world, as `crates/aws/src/clients.rs` configures them.
//!
//! A fault of the list is what an action sees after the SDK has given up. In a story that claims how long something
//! takes, the time that the SDK spends before that belongs to the claim.

use super::super::account::Account;
use super::super::timers::Sleep;
use crossfade_actions::ports::{FleetWriteError, LedgerError, PortError, TakeError};
use jiff::SignedDuration;
use std::sync::Arc;

/// How patient a client is.
pub(super) struct Patience {
    attempts: u32,
    /// The longest pause after the first attempt; each further one is twice as long.
    first_pause: SignedDuration,
    longest_pause: SignedDuration,
    attempt: SignedDuration,
    operation: SignedDuration,
}

impl Patience {
    /// That of the client which makes the calls of a verb.
    pub(super) fn of(verb: &str) -> Self {
        let (seconds, milliseconds) = (SignedDuration::from_secs, SignedDuration::from_millis);
        match verb {
            "write_route" => Self::new(1, seconds(1), seconds(20), seconds(5), seconds(6)),
            // What a rollback waits for: `crates/aws` gives these up sooner than the SDK would.
            "head" | "plan" | "revised_plan" | "guarded_by" | "record" => {
                Self::new(4, milliseconds(50), seconds(1), seconds(3), milliseconds(1900))
            }
            "open_heads" | "events" | "holders" | "policies" | "take" | "revise" | "release" | "store_policy"
            | "remove_policy" => Self::new(4, milliseconds(50), seconds(1), seconds(3), seconds(10)),
            _ => Self::new(6, seconds(1), seconds(20), seconds(5), seconds(40)),
        }
    }

    fn new(
        attempts: u32,
        first_pause: SignedDuration,
        longest_pause: SignedDuration,
        attempt: SignedDuration,
        operation: SignedDuration,
    ) -> Self {
        Self { attempts, first_pause, longest_pause, attempt, operation }
    }

    /// Calls until there is an answer that is not transient, or the client's patience is over. Each pause is the
    /// longest that the SDK may draw.
    pub(super) async fn spend<T, E, F>(
        &self,
        account: &Arc<Account>,
        (verb, object): (&'static str, &str),
        call: impl Fn() -> F,
    ) -> Result<T, E>
    where
        E: From<PortError> + Transient,
        F: Future<Output = Result<T, E>>,
    {
        let no_answer = || {
            E::from(PortError::Unavailable {
                operation: verb,
                object: object.to_owned(),
                detail: "no answer in time".to_owned(),
            })
        };
        let all = async {
            let mut pause = self.first_pause;
            for attempt in 1.. {
                let once = tokio::select! {
                    biased;
                    answer = call() => answer,
                    () = Sleep::lasting(account, self.attempt) => Err(no_answer()),
                };
                match once {
                    Err(error) if error.is_transient() && attempt < self.attempts => {}
                    answer => return answer,
                }
                Sleep::lasting(account, pause).await;
                pause = (pause * 2).min(self.longest_pause);
            }
            unreachable!("the last attempt returns")
        };
        tokio::select! {
            biased;
            answer = all => answer,
            () = Sleep::lasting(account, self.operation) => Err(no_answer()),
        }
    }
}

/// An error that the SDK may retry.
pub(in crate::simulation) trait Transient {
    fn is_transient(&self) -> bool;
}

impl Transient for PortError {
    fn is_transient(&self) -> bool {
        PortError::is_transient(self)
    }
}

impl Transient for LedgerError {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Port(error) if error.is_transient())
    }
}

impl Transient for FleetWriteError {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Ledger(error) if Transient::is_transient(error))
    }
}

impl Transient for TakeError {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Ledger(error) if Transient::is_transient(error))
    }
}
