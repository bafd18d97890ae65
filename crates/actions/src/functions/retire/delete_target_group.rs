//! `delete-target-group`: deletes the old groups, once that was approved and they are recorded in full.

use super::{Part, work};
use crate::error::ActionError;
use crate::ports::Ports;
use crossfade_domain::retirement::RetirementCursor;
use serde_json::Value;

/// One look at a retirement, with all that can be done at it. `{"cursor": <the last answer>, "execution": "<arn>"}`.
///
/// The groups have no targets, no route names them, and a person has approved the deletion by itself. It reads each in
/// full, records that, and deletes it. AWS may say for minutes that a group is in use; that is waited for.
///
/// Returns `wait`, `approval`, or an end: `deleted`, or `deregistered` where the deletion was given up.
///
/// May run again at any time: a group that is gone is fine.
///
/// # Errors
/// As [`super::check_idle::check_idle`].
pub async fn delete_target_group(ports: &Ports, input: &Value) -> Result<RetirementCursor, ActionError> {
    work(ports, Part::Delete, input).await
}
