//! Puts HTTP in front of the world, and simulates what is around it: clients, clusters and processes.
//!
//! | room | what is in it |
//! | --- | --- |
//! | `clock` | the rehearsal's clock: turns, one at a time |
//! | `endpoints` | AWS over HTTP, for the SDK and the aws CLI |
//! | `functions` | processes, state machines and events that invoke them |
//! | `traffic` | users' requests, the data plane, the clusters |
//! | `scenario`, `stage` | what a rehearsal shows, and what exists before it begins |
//! | `run`, `report` | the rehearsal and its result |
//! | `wiring` | reads the template: which event starts which function |
//!
//! **Invariant:** nothing here decides how AWS behaves. Only `world` does.

pub mod clock;
pub mod endpoints;
pub mod functions;
pub mod report;
pub mod run;
pub mod scenario;
pub mod stage;
pub mod traffic;
pub mod wiring;
