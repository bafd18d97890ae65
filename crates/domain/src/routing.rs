//! Every edit that a route may get, and whether somebody else has changed it.

pub mod drift;
pub mod route_edit;
