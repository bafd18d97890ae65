//! A fleet: all services of one policy, moved in waves by one run.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `waves` | which services may move together, and in which order |
//! | `head` | a run's present state, one item |
//! | `service_run` | where one service is in a run |
//! | `event` | one line of a run's journal, and the head that it leads to |
//! | `command` | what an operator asks of a fleet |
//! | `observe` | what a service's own journal says of it |
//! | `budget` | when the fleet stops by itself |
//! | `admission` | which services may start now |
//! | `turns` | whose turn it is, and how long a wave is watched |
//! | `decide` | the one function from what is known to what is done |
//! | `outlook` | what the machine does next, and the sentence that says why |
//! | `forecast` | what a run comes to if nothing fails, and what can fail before it stops |
//! | `cursor` | what the state machine passes on |
//! | `request` | what starts an execution of the machine |
//! | `retiring` | the old sides of services that have migrated are retired |
//! | `wording` | a line of the journal in words, and what is announced to others |
//!
//! **Invariant 15:** one service's failure rolls back no other service, and a run that dies, is stopped or is started
//! twice moves no traffic by that: all it does is start migrations and retirements, and hold or return migrations when
//! it is asked to.
//!
//! **Invariant 17:** a stopped fleet starts nothing and raises nothing until a person says so.

pub mod admission;
pub mod budget;
pub mod command;
pub mod cursor;
pub mod decide;
pub mod event;
pub mod forecast;
pub mod head;
pub mod observe;
pub mod outlook;
pub mod request;
pub mod retiring;
pub mod service_run;
pub mod turns;
pub mod waves;
pub mod wording;

#[cfg(test)]
mod tests;
