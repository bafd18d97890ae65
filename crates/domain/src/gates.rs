//! What can stop a migration. Each gate gives an opinion; `verdict` combines them.

pub mod alarms;
pub mod approval;
pub mod capacity;
pub mod checks;
pub mod drift;
pub mod health;
pub mod history_budget;
pub mod judge;
pub mod operator;
pub mod outside;
pub mod readiness;
pub mod verdict;
pub mod window;
