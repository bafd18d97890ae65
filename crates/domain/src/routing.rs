//! Every edit of a route that Crossfade makes, and the detection of other people's edits.

pub mod drift;
pub mod route_edit;
pub mod stray;
