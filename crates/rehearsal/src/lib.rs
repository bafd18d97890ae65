//! HTTP in front of the world, and everything that lives in it.
//!
//! | room | what is in it |
//! | --- | --- |
//! | `clock` | the one clock: turns, one at a time |
//! | `endpoints` | AWS over HTTP, for the SDK and the aws CLI |
//! | `functions` | processes, state machines and events that invoke them |
//! | `traffic` | users' requests, the data plane, the clusters |
//! | `scenario`, `stage` | what a rehearsal is to show, and everything that stands before it begins |
//! | `run`, `report` | the rehearsal itself, and what came of it |
//! | `wiring` | what the template says: which event starts which function |
//!
//! **Invariant:** nothing here decides how AWS behaves; that is in `world`, once.

pub mod clock;
pub mod endpoints;
pub mod functions;
pub mod report;
pub mod run;
pub mod scenario;
pub mod stage;
pub mod traffic;
pub mod wiring;
