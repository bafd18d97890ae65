//! Retiring the old side of a service, in virtual time: its three functions, called as their verdicts say, on the ports
//! of the simulation. What the invariants forbid is checked at the very calls that would break them.

mod approvals;
mod breakages;
mod broken;
mod every_call;
mod machine;
mod scaling_groups;
mod stage;
mod stories;
mod swept;
mod undo;

pub(crate) use machine::callers;
