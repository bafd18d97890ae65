//! The way back, decided. What is read and written is in `actions/rollback`.
//!
//! ```text
//!  what the action does                            what is decided here
//!  ------------------------------------------      -----------------------------------------------
//!  reads the head                             ──▶  who_may_roll_back: begin, join, or a person
//!  reads every route, and the health of            round: for each route nothing, a write, or why not;
//!  the groups that would get traffic          ──▶  the most loaded first; withheld: old side dead
//!  writes, reads back, and asks for another
//!  round until a round has nothing to write   ──▶  way_back: what one route gets, with a plan or by tags
//!  settles, looks again, releases the locks
//! ```
//!
//! **Invariant 6:** what cannot be read withholds nothing. **Invariant 5:** where somebody else has changed a route,
//! only our group is taken out of it.

mod after_the_end;
mod round;
mod way_back;
mod who_may_roll_back;
mod withheld;

pub use after_the_end::revise_after_the_end;
pub use round::{Round, RouteWrite, plan_round, step};
pub use way_back::{Step, WayBack, way_back, way_back_by_tags};
pub use who_may_roll_back::{Admission, Cause, admission, only_observes};
pub use withheld::{GroupHealth, Withheld};
