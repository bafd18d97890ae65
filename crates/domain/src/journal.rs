//! The append-only record of a migration, and the one table of its transitions.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `head` | the migration's present state, one small item |
//! | `event` | one line of the journal, and everything that can happen |
//! | `transitions` | which event may follow in which phase, and the head that it leads to |
//! | `rollback`, `hook` | what a head keeps of a rollback and of the last hook |
//! | `wording` | an event in words: a line for people, and what is announced to others |
//! | `cursor` | what the state machines pass from state to state |
//!
//! **Invariant:** nothing but the transition table changes a head, and the ledger writes an event and the head it leads
//! to in one transaction.

pub mod cursor;
mod event;
mod head;
pub mod hook;
mod rollback;
mod transitions;
pub mod wording;

pub use event::{Event, Happening, RECORD_VERSION};
pub use head::{Commands, Head, Phase};
pub use rollback::{Rollback, Trigger};
pub use transitions::TransitionError;

#[cfg(test)]
mod tests;
