//! What several verbs are given.

use crossfade_domain::ids::ServiceName;
use crossfade_domain::policy_document::parsed_duration;
use jiff::SignedDuration;

/// A service's name.
///
/// # Errors
/// What a name looks like.
pub fn service(text: &str) -> Result<ServiceName, String> {
    ServiceName::parse(text).map_err(|error| format!("expected {}", error.expected))
}

/// A duration such as `90s`, `10m` or `1h30m`.
///
/// # Errors
/// What a duration looks like.
pub fn duration(text: &str) -> Result<SignedDuration, String> {
    let seconds = parsed_duration(text).and_then(|seconds| i64::try_from(seconds).ok()).filter(|seconds| *seconds > 0);
    seconds.map(SignedDuration::from_secs).ok_or_else(|| "expected a duration such as 90s, 10m or 1h30m".to_owned())
}
