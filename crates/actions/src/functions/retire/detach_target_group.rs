//! `detach-target-group`: takes the old groups out of the routes, watches, and deregisters their targets; or undoes it.

use super::{Part, work};
use crate::error::ActionError;
use crate::ports::Ports;
use crossfade_domain::retirement::RetirementCursor;
use serde_json::Value;

/// One look at a retirement, with all that can be done at it. `{"cursor": <the last answer>, "execution": "<arn>"}`.
///
/// It proves once more that the old side is idle, records that and the final form of each route, and writes it. Then it
/// watches the load balancers and the new side, and returns the old groups to the routes if something gets worse, or if
/// the old side turns out to have been used. After that it records the targets and deregisters them.
///
/// Returns `wait` until nothing is left to do; `deregistered`, `delete` or `approval` where the targets are gone;
/// `undone` or `halted` at the end of an undo; `detach` never.
///
/// May run again at any time. Each write is fenced by the retirement's generation.
///
/// # Errors
/// As [`super::check_idle::check_idle`].
pub async fn detach_target_group(ports: &Ports, input: &Value) -> Result<RetirementCursor, ActionError> {
    work(ports, Part::Detach, input).await
}
