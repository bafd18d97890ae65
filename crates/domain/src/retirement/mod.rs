//! Retiring: the old side of a service that has migrated is proven idle, detached, deregistered and deleted.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `plan` | what will be taken apart: routes with both their forms, and the record of each group |
//! | `final_form` | the actions of a route without the old group, in the shape that the baseline had |
//! | `record` | all that is needed to create a target group again, and the commands that do it |
//! | `feed` | Auto Scaling groups that register their instances in an old group |
//! | `idle` | whether the load balancer's counts show that no one uses the old side |
//! | `watch` | whether something got worse after the old side was detached |
//! | `head` | a retirement's present state, one item |
//! | `approval` | what only a person allows |
//! | `event` | the lines of its journal, and the head that each leads to |
//! | `decide` | the one function from what is known to what comes next |
//! | `preview` | what a dry run shows |
//! | `wording` | its journal and where it stands, for people |
//! | `cursor` | what starts an execution of the machine, and what it passes on |
//!
//! **Invariant 12:** nothing of the old side is removed while it has had a request in the idle window, or before
//! propagation and draining are over.
//!
//! **Invariant 19:** retiring can be undone at every step before the deletion; everything that is deleted was recorded
//! in full first.

mod approval;
mod cursor;
mod decide;
mod event;
mod feed;
mod final_form;
mod head;
mod idle;
mod plan;
mod preview;
mod record;
mod watch;
mod wording;

pub use approval::Approval;
pub use cursor::{RetireCommand, RetireRequest, RetireVerdict, RetirementCursor, decode_retire_request};
pub use decide::{Doing, Next, Seen, due_hook, next};
pub use event::{RetirementEvent, RetirementEventKind, RetirementTransitionError};
pub use feed::Feed;
pub use final_form::{attached_form, final_form};
pub use head::{Retirement, RetirementPhase, RetirementUndo, retirement_lock_id};
pub use idle::{Idle, IdleWindow, OldCounts, idle_window, judge_idle};
pub use plan::{RetiredGroup, RetiredRoute, RetirementPlan, plan_retirement};
pub use preview::{RetirementPreview, preview};
pub use record::GroupRecord;
pub use watch::{AfterDetach, BalancerCounts, LATE_SECONDS, PROPAGATION_SECONDS, judge_watch, watch_seconds};
pub use wording::{retirement_announcement, retirement_line};

#[cfg(test)]
mod tests;
