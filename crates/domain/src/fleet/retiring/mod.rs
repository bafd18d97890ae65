//! The old sides of a fleet's services are retired, each by its own `retire-service`.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `left_out` | which services are not retired, and why |
//! | `standing` | where the old side of a service is, in words |
//! | `room` | what services that have migrated still take from a load balancer |
//!
//! The run only starts retirements. What each waits for, changes and undoes is its own (`crate::retirement`).

mod left_out;
mod room;
mod standing;

pub use super::service_run::{MOST_RETIRING, RetirementAsk, takes_a_place};
pub use left_out::{is_retired, left_out};
pub use room::{GroupsInUse, held};
pub use standing::{OldSide, old_side, totals};
