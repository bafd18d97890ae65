//! AWS over HTTP: one front door, a service behind it for each AWS service, and a record of every call.

pub mod access;
pub mod auto_scaling;
pub mod aws_service;
pub mod change_calendars;
pub mod cloudwatch;
pub mod elbv2;
pub mod front_door;
pub mod kubernetes;
pub(crate) mod query_protocol;
pub mod step_functions;
pub mod sts;
