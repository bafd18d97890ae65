//! The sections of a migration's page.

pub(crate) mod gates;
pub(crate) mod journal;
pub(crate) mod judge;
pub(crate) mod latency;
pub(crate) mod people;
pub(crate) mod retirement;
pub(crate) mod routes;
pub(crate) mod settings;
mod spans;
pub(crate) mod traffic;
pub(crate) mod verdict;
pub(crate) mod weight;
