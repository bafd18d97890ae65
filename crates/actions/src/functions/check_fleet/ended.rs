//! How executions ended that the run has started.

use crate::ports::ExecutionStatus;
use crossfade_domain::fleet::observe::Untraced;

/// How an execution ended; none where it runs or has succeeded.
pub(super) fn ended(name: &str, status: ExecutionStatus) -> Option<Untraced> {
    let given = |error: Option<String>, cause: Option<String>| {
        let texts: Vec<String> = [error, cause].into_iter().flatten().collect();
        if texts.is_empty() { "no reason was given".to_owned() } else { texts.join(": ") }
    };
    Some(match status {
        ExecutionStatus::Running | ExecutionStatus::Succeeded => return None,
        ExecutionStatus::Missing => Untraced::Missing,
        ExecutionStatus::Stopped { error, cause } => {
            Untraced::Stopped(format!("someone stopped execution {name}: {}", given(error, cause)))
        }
        ExecutionStatus::Dead { error, cause } => match error.as_deref() {
            Some("Refused" | "InvalidRequest" | "LockHeld") => Untraced::Refused(cause.unwrap_or_default()),
            _ => Untraced::Died(format!("execution {name} failed: {}", given(error, cause))),
        },
    })
}
