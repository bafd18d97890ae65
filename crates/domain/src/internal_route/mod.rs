//! A service's internal route: the rule, or the listener, through which other services reach it.
//!
//! `choose` picks the load balancer and the target group behind the route; `decide` says what has to be created, or
//! every reason why nothing is; `undo` says what may be removed. `request` is what one asks for, `cursor` what comes of
//! it.

mod choose;
mod connection;
mod cover;
mod cursor;
mod decide;
mod decision;
mod request;
mod rules;
mod undo;

pub use choose::{Backing, Balancer, Choice, GroupCopy, Wanted, choose, choose_retired};
pub use connection::{CONNECTION_VERSION, Connection, ConnectionState};
pub use cover::{Cover, cover};
pub use cursor::{RouteCursor, RouteVerdict};
pub use decide::{decide, is_as_connected};
pub use decision::{Decision, Listener, RouteChoice, Surroundings};
pub use request::{ConnectRequest, decode_connect_request};
pub use undo::{Ours, UseWindow, objection, of_route};

#[cfg(test)]
mod tests;
