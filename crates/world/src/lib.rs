//! AWS's rules once: ELBv2, Auto Scaling, CloudWatch, change calendars, the table, the States Language engine and
//! events.
//!
//! Pure and synchronous.

pub mod auto_scaling;
pub mod aws_error;
pub mod calendars;
pub mod cloudwatch;
pub mod cold;
pub mod elbv2;
pub mod events;
pub mod executions;
pub mod lambda;
pub mod latency;
pub mod ledger;
pub mod states;
pub mod tree;
pub mod world;

pub use world::World;
