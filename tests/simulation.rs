//! Whole migrations in virtual time: the machines of the repository on our engine, the actions in process, and the
//! world, with a fault at every call. The stories run on it too.

mod account;
mod breakage;
mod breakages;
mod case;
mod consumers;
mod fleet_breakage;
mod invariants;
mod outside;
mod people;
mod ports;
mod random;
mod route_breakage;
mod run;
mod run_log;
mod scenario;
mod sweep;
mod timers;
mod watch;
pub(crate) mod wiring;

pub(crate) use account::Account;
pub(crate) use breakage::Breakage;
pub(crate) use consumers::HookDoes;
pub(crate) use outside::OutsideDoes;
pub(crate) use ports::calls::PortCalls;
pub(crate) use ports::port_fault::PortFault;
pub(crate) use run::{SimulatedRun, Visit};
pub(crate) use sweep::{Callers, callers};
pub(crate) use timers::at_once;
