//! The way back: begin it, return every route, also by tags when the table does not answer, and remove the new groups.

pub(crate) mod after_the_end;
pub(crate) mod begin;
pub(crate) mod by_tags;
mod fence;
mod look;
pub(crate) mod return_routes;
pub(crate) mod withdraw;
pub(crate) mod write_lanes;
