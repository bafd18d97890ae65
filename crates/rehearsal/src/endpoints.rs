//! AWS over HTTP: one front door, behind it a service each, and a record of who asked for what.

pub mod access;
pub mod aws_service;
pub mod cloudwatch;
pub mod elbv2;
pub mod front_door;
pub mod step_functions;
pub mod sts;
