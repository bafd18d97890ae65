//! Runs the functions: builds them, starts their processes, and drives the state machines and events that invoke them.

pub mod build;
pub(crate) mod event_bus;
pub mod event_sender;
pub(crate) mod hooks;
pub mod lambda_host;
pub mod local_executions;
pub mod orchestrator;
