//! Fleets: the conductor's machine, its function and whole migrations in virtual time.

mod conductors;
mod every_call;
mod every_look;
mod figures;
mod long_freeze;
mod people;
mod planning;
mod scenarios;
mod shared_alarms;
mod stage;
mod stopping;
mod watch;
mod waves;
mod windows;
mod write_budget;

pub(crate) use scenarios::callers;
