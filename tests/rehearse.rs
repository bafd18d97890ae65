//! The whole thing: the built command moves services on this machine, under live load.

mod auto_scaling;
mod calendars;
mod command;
mod counts;
mod default_scenario;
mod faults;
mod fleets;
mod guards;
mod hooks;
mod internal;
mod interruptions;
mod nobody_calls;
mod probes;
mod retire;
mod side_by_side;
mod story;
mod throttled;
mod timing;
mod warm_up;

pub(crate) use command::{Running, binary, crossfade, scenario_file};
pub(crate) use counts::price;
