//! HTTP in front of the world: endpoints for the SDK, the data plane, function processes, clusters, load.

pub mod access;
pub mod aws_service;
pub mod clock;
pub mod cloudwatch_api;
pub mod cluster;
pub mod data_plane;
pub mod elbv2_api;
pub mod event_bus;
pub mod front_door;
pub mod functions_build;
mod hooks;
pub mod lambda_host;
pub mod load;
pub mod orchestrator;
pub mod report;
pub mod run;
pub mod scenario;
pub mod stage;
pub mod stepfunctions_api;
pub mod sts_api;
pub mod wiring;
