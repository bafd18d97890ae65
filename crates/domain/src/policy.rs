//! What the operator asks for: a fleet's policy document, one service's policy, the request that starts a migration.

pub mod calling;
pub mod discovery;
pub mod document;
pub mod gates;
pub mod manifest;
pub mod problem;
pub mod reader;
pub mod request;
pub mod retire;
pub mod rollout;
pub mod service_policy;
pub mod wiring;
