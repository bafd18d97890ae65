//! The work of every function, written against ports.
//!
//! | room | what is in it |
//! | --- | --- |
//! | `functions` | one file for each Lambda function, with its name |
//! | `operator` | what the command line asks for |
//! | `migration` | what every step does to its migration: own it, write the journal, halt, call hooks |
//! | `reads` | what decisions are made from, as it is read from the world |
//! | `conducting` | runs of fleets: what is stored of them, and who conducts them |
//! | `routes` | routes on the way up |
//! | `rollback` | the way back |
//! | `ports` | what an action may ask of the world |
//! | `metric_math`, `metric_pages` | CloudWatch's own languages, for `crates/aws` and the world |
//! | `payload`, `answer`, `error` | what a function is given, and how it ends |
//! | `retry` | retried calls |
//! | `copy_attributes` | the attributes of a group that is a copy |
//!
//! Every action reads the world, decides, records the intent, changes, reads back, and records the result; each may run
//! again with the same input at any time.
//!
//! **Invariant:** an action knows the world only through `ports`; no SDK type crosses them.

mod answer;
mod conducting;
mod copy_attributes;
pub mod error;
pub mod functions;
pub mod metric_math;
pub mod metric_pages;
mod migration;
pub mod operator;
mod payload;
pub mod ports;
mod reads;
mod retry;
mod rollback;
mod routes;

pub use rollback::write_lanes::LANES as ROUTES_WRITTEN_AT_ONCE;
