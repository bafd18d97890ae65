//! `check-idle`: begins a retirement, and waits until the old side of the service is proven idle.

use super::{Part, work};
use crate::error::ActionError;
use crate::ports::Ports;
use crossfade_domain::retirement::RetirementCursor;
use serde_json::Value;

/// One look at a retirement. `{"cursor": <the execution's input, or the last answer>, "execution": "<arn>",
/// "hookAnswer"?: <what the hook answered>}`.
///
/// The input begins a retirement, continues the service's present one, or brings a command; see
/// [`crossfade_domain::retirement::decode_retire_request`]. It changes no load balancer.
///
/// Returns `wait`, `hook`, or `approval` until the old side may be detached; then `detach`. `refused` says what is in
/// the way for good. A retirement that is further on has its own verdict, so the machine finds its place again.
///
/// May run again at any time.
///
/// # Errors
/// `InvalidRequest` for a wrong input; `LockHeld`, `Superseded`, `Transient` and `Denied` from the ports.
pub async fn check_idle(ports: &Ports, input: &Value) -> Result<RetirementCursor, ActionError> {
    work(ports, Part::Proof, input).await
}
