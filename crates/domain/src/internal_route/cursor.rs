//! What `create-route` returns: the whole outcome of one request, for its machine and for who reads it.

use super::connection::Connection;
use super::decision::Decision;
use crate::journal::cursor::serialize_shortened;
use crate::names::ServiceName;
use serde::{Deserialize, Serialize};

/// What stands between two parts of a reason.
const BETWEEN: &str = " · ";

/// The outcome of a request for an internal route. The machine branches on `verdict`; an operator reads `reason` in the
/// console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteCursor {
    /// Version of this format.
    pub version: u32,
    /// The service.
    pub service: ServiceName,
    /// The outcome.
    pub verdict: RouteVerdict,
    /// The outcome in one line, whose parts have a raised dot between them: a headline, each of `lines`, and what to do
    /// next.
    #[serde(serialize_with = "serialize_shortened")]
    pub reason: String,
    /// What was, or would be, created or removed; what refuses it.
    pub lines: Vec<String>,
    /// What an operator should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The rule or the listener.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The load balancer's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_balancer: Option<String>,
    /// The name of the target group behind the route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_group: Option<String>,
    /// The name of the error with which the execution fails, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How a request for an internal route ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RouteVerdict {
    /// The route exists, read back.
    Connected,
    /// What the stack had created is gone.
    Removed,
    /// There was nothing to remove.
    Nothing,
    /// A dry run: this would be created.
    WouldConnect,
    /// A dry run: this would be removed.
    WouldRemove,
    /// Nothing was changed.
    Refused,
    /// Creating it was begun and not completed.
    Unfinished,
}

impl RouteVerdict {
    /// Every verdict.
    pub const ALL: [Self; 7] = [
        Self::Connected,
        Self::Removed,
        Self::Nothing,
        Self::WouldConnect,
        Self::WouldRemove,
        Self::Refused,
        Self::Unfinished,
    ];

    /// The name of the error with which an execution fails that ends so; none where it succeeds.
    pub fn error(self) -> Option<&'static str> {
        match self {
            Self::Refused => Some("Refused"),
            Self::Unfinished => Some("NotFinished"),
            Self::Connected | Self::Removed | Self::Nothing | Self::WouldConnect | Self::WouldRemove => None,
        }
    }

    /// The verdict of an execution that failed with this error.
    pub fn of_error(error: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.error() == Some(error))
    }
}

impl RouteCursor {
    /// The outcome with its words.
    pub fn new(service: &ServiceName, verdict: RouteVerdict, lines: Vec<String>) -> Self {
        let mut parts = vec![headline(service, verdict, lines.is_empty())];
        parts.extend(lines.iter().cloned());
        parts.extend(ending(service, verdict));
        let reason = parts.join(BETWEEN);
        let error = verdict.error().map(str::to_owned);
        Self {
            version: 1,
            service: service.clone(),
            verdict,
            reason,
            lines,
            warnings: Vec::new(),
            route: None,
            load_balancer: None,
            target_group: None,
            error,
        }
    }

    /// What would be created.
    pub fn planned(service: &ServiceName, decision: &Decision) -> Self {
        Self {
            warnings: decision.warnings.clone(),
            load_balancer: Some(decision.balancer.name.clone()),
            ..Self::new(service, RouteVerdict::WouldConnect, decision.creates())
        }
    }

    /// The route that exists, with what was created this time.
    pub fn connected(
        service: &ServiceName,
        decision: &Decision,
        connection: &Connection,
        created: Vec<String>,
    ) -> Self {
        Self {
            warnings: decision.warnings.clone(),
            route: connection.route.as_ref().map(ToString::to_string),
            load_balancer: Some(decision.balancer.name.clone()),
            target_group: Some(decision.backing.name().to_owned()),
            ..Self::new(service, RouteVerdict::Connected, created)
        }
    }

    /// Reads the outcome of an execution that failed, of which Step Functions keeps only the error and the cause.
    /// `None` for an error that is not one of this cursor's.
    pub fn of_failure(service: &ServiceName, error: &str, cause: &str) -> Option<Self> {
        let verdict = RouteVerdict::of_error(error)?;
        let (headline, ending) = (headline(service, verdict, false), ending(service, verdict));
        let is_line = |part: &&str| *part != headline && Some(*part) != ending.as_deref();
        let lines = cause.split(BETWEEN).filter(is_line).map(str::to_owned).collect();
        Some(Self::new(service, verdict, lines))
    }

    /// The outcome with a line for each of its parts.
    pub fn in_full(&self) -> String {
        self.reason.replace(BETWEEN, "\n  ")
    }
}

fn headline(service: &ServiceName, verdict: RouteVerdict, nothing: bool) -> String {
    let words = match verdict {
        RouteVerdict::Connected if nothing => "connected already",
        RouteVerdict::Connected => "connected; created",
        RouteVerdict::Removed => "removed",
        RouteVerdict::Nothing => "Crossfade has created no internal route; there is nothing to undo",
        RouteVerdict::WouldConnect if nothing => "everything exists already",
        RouteVerdict::WouldConnect => "would create (--dry-run)",
        RouteVerdict::WouldRemove => "would remove (--dry-run)",
        RouteVerdict::Refused => "refused; nothing was changed",
        RouteVerdict::Unfinished => "not finished, and what was created stays",
    };
    format!("{service}: {words}")
}

/// What to do next.
fn ending(service: &ServiceName, verdict: RouteVerdict) -> Option<String> {
    (verdict == RouteVerdict::Unfinished).then(|| {
        format!(
            "when that is mended, `crossfade connect {service}` completes it; `crossfade connect {service} --undo` \
             removes it"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_step_functions_keeps_of_a_failure_is_enough_for_the_whole_outcome() {
        let service = ServiceName::parse("users").unwrap();
        for verdict in RouteVerdict::ALL {
            let lines = vec!["port 80 has no listener; add one".to_owned(), "no priority is free".to_owned()];
            let told = RouteCursor::new(&service, verdict, lines);
            let read = told.error.as_deref().and_then(|error| RouteCursor::of_failure(&service, error, &told.reason));
            assert_eq!(read.is_some(), matches!(verdict, RouteVerdict::Refused | RouteVerdict::Unfinished));
            assert_eq!(read.unwrap_or_else(|| told.clone()), told, "{verdict:?}");
        }
        assert_eq!(RouteCursor::of_failure(&service, "Denied", "may not"), None);
    }

    #[test]
    fn a_refusal_and_what_is_not_finished_say_what_happened_and_what_to_type() {
        let service = ServiceName::parse("users").unwrap();
        let refused = RouteCursor::new(&service, RouteVerdict::Refused, vec!["port 80 is taken".to_owned()]);
        assert_eq!(refused.reason, "users: refused; nothing was changed · port 80 is taken");
        let unfinished = RouteCursor::new(&service, RouteVerdict::Unfinished, vec!["AWS refused".to_owned()]);
        assert_eq!(
            unfinished.in_full(),
            "users: not finished, and what was created stays\n  AWS refused\n  when that is mended, `crossfade connect \
             users` completes it; `crossfade connect users --undo` removes it"
        );
        assert_eq!((refused.error.as_deref(), unfinished.error.as_deref()), (Some("Refused"), Some("NotFinished")));
    }
}
