//! Whole migrations in virtual time: the machines of the repository on our engine, the actions in process, and the
//! world, with a fault at every call.

mod account;
mod breakage;
mod breakages;
mod consumers;
mod fault;
mod invariants;
mod people;
mod ports;
mod random;
mod rest;
mod run;
mod scenario;
mod story;
mod sweep;
mod timers;
mod value;
mod watch;
mod wiring;

pub(crate) use sweep::{Callers, callers};
