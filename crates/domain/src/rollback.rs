//! The way back, decided. What is read and written is in `actions/rollback`.
//!
//! ```text
//!  what the action does                            what is decided here
//!  ------------------------------------------      -----------------------------------------------
//!  reads the head                             ──▶  admission: begin, join, or leave it to a person
//!  reads every route, and the health of            round: for each route nothing, a write, or why not;
//!  the groups that would get traffic          ──▶  the most loaded first
//!  writes, reads back, and asks for another
//!  round until a round has nothing to write   ──▶  way_back: what one route gets, with a plan or by tags
//!  settles, looks again, releases the locks
//! ```
//!
//! **Invariant 6:** what cannot be read withholds nothing. **Invariant 5:** where somebody else has changed a route,
//! only our group is taken out of it.

mod admission;
mod round;
mod way_back;

pub use admission::{Admission, Cause, admission};
pub use round::{GroupHealth, Round, RouteWrite, Withheld, plan_round, share_of, step};
pub use way_back::{Step, WayBack, way_back, way_back_by_tags};
