//! The append-only record of a migration, and the one table of its transitions.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `head` | the migration's present state, one small item |
//! | `event` | one line of the journal, and everything that can happen |
//! | `commands` | what an operator has asked for |
//! | `transitions` | which event may follow in which phase, and the head that it leads to |
//! | `rollback`, `hook` | what a head keeps of a rollback and of the last hook |
//! | `due_hook` | which hook has to be called next |
//! | `hook_answer` | what a hook says of the requests with which it has warmed the new targets |
//! | `probe_round` | what a head keeps while a command outside sends the requests of probes |
//! | `request_counts` | the requests of both clusters, which are recorded after the end |
//! | `observation` | when it is recorded what a gate that only observes would have done |
//! | `outside_call` | what a machine asks the outside gates |
//! | `settle` | how long a rollback waits before it looks again |
//! | `wording` | an event in words: a line for people, and what is announced to others |
//! | `cursor` | what the state machines pass from state to state |
//!
//! **Invariant:** nothing but the transition table changes a head, and the ledger writes an event and the head it leads
//! to in one transaction.

mod commands;
pub mod cursor;
pub mod due_hook;
mod event;
mod head;
pub mod hook;
pub mod hook_answer;
mod observation;
pub mod outside_call;
pub mod probe_round;
pub mod request_counts;
mod rollback;
pub mod settle;
mod transitions;
pub mod wording;

pub use commands::Commands;
pub use event::{Event, EventKind, RoutesListed};
pub use head::{Head, Phase};
pub use rollback::{Rollback, Trigger};
pub use transitions::TransitionError;

/// Version of heads and events as they are written today.
pub const RECORD_VERSION: u32 = 1;

#[cfg(test)]
mod tests;
