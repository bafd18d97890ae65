//! What runs the functions: their build, their processes, the state machines and events that invoke them.

pub mod build;
pub mod event_bus;
pub(crate) mod hooks;
pub mod lambda_host;
pub mod orchestrator;
