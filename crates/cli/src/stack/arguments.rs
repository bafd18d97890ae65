//! Arguments that several verbs share.

use clap::ValueEnum;
use crossfade_domain::names::ServiceName;
use crossfade_domain::policy::document::parsed_duration;
use crossfade_domain::policy::request::MOST_REASON;
use jiff::SignedDuration;

/// How a command prints its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Human,
    /// One JSON object.
    Json,
    /// Annotations and a job summary for GitHub Actions.
    Github,
}

/// How a command that needs no stack prints its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum TextOrJson {
    /// For people.
    #[default]
    Human,
    /// One JSON object.
    Json,
}

/// The longest wait, a year in seconds. A longer one might not fit into a timestamp.
const MAX_SECONDS: i64 = 366 * 24 * 3600;

/// Parses a service's name.
///
/// # Errors
/// Describes a valid name.
pub fn service(text: &str) -> Result<ServiceName, String> {
    ServiceName::parse(text).map_err(|error| format!("expected {}", error.expected))
}

/// Parses a reason for the journal.
///
/// # Errors
/// Describes a valid reason.
pub fn reason(text: &str) -> Result<String, String> {
    let length = text.chars().count();
    if text.trim().is_empty() || length > MOST_REASON {
        return Err(format!("expected 1 to {MOST_REASON} characters, found {length}"));
    }
    Ok(text.to_owned())
}

/// Parses a duration such as `90s`, `10m` or `1h30m`.
///
/// # Errors
/// Describes a valid duration.
pub fn duration(text: &str) -> Result<SignedDuration, String> {
    let seconds = parsed_duration(text)
        .and_then(|seconds| i64::try_from(seconds).ok())
        .filter(|seconds| (1..=MAX_SECONDS).contains(seconds));
    seconds
        .map(SignedDuration::from_secs)
        .ok_or_else(|| "expected a duration such as 90s, 10m or 1h30m, a year at most".to_owned())
}

/// Parses a stack's name.
///
/// # Errors
/// Describes a name that CloudFormation accepts.
pub fn stack(text: &str) -> Result<String, String> {
    // A pipeline that passes an empty variable means the default.
    if text.is_empty() {
        return Ok("crossfade".to_owned());
    }
    let fits = text.len() <= 128
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
    fits.then(|| text.to_owned())
        .ok_or_else(|| "expected a stack's name: a letter, then letters, digits and hyphens".to_owned())
}

/// Parses a region's name.
///
/// # Errors
/// Describes a valid region.
pub fn region(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split('-').collect();
    let letters = |part: &&str| !part.is_empty() && part.chars().all(|letter| letter.is_ascii_lowercase());
    let fits = parts.len() >= 3
        && parts[..parts.len() - 1].iter().all(letters)
        && parts.last().is_some_and(|number| number.len() <= 2 && number.parse::<u8>().is_ok());
    fits.then(|| text.to_owned()).ok_or_else(|| "expected a region such as eu-west-1".to_owned())
}

/// Parses the URL of an endpoint.
///
/// # Errors
/// Describes a valid URL.
pub fn endpoint(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let fits = host.is_some_and(|host| {
        !host.is_empty() && !host.starts_with(['/', ':']) && !text.contains(|letter: char| letter.is_whitespace())
    });
    fits.then(|| text.to_owned()).ok_or_else(|| "expected a URL such as http://127.0.0.1:4566".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_of_over_a_year_is_refused() {
        assert!(duration("99999999999h").is_err());
        assert!(duration("30d").is_ok());
    }

    #[test]
    fn a_reason_says_something_and_fits_into_the_journal() {
        assert_eq!(reason("sessions stays on Swarm").as_deref(), Ok("sessions stays on Swarm"));
        assert!(reason(" ").is_err() && reason(&"a".repeat(1_025)).is_err() && reason(&"a".repeat(1_024)).is_ok());
    }

    #[test]
    fn stacks_regions_and_endpoints_are_parsed() {
        assert_eq!(stack("").as_deref(), Ok("crossfade"));
        assert!(stack("cross fade").is_err() && stack("1st").is_err() && stack("crossfade-staging").is_ok());
        assert!(region("Dublin").is_err() && region("").is_err() && region("us-gov-west-1").is_ok());
        assert!(endpoint("").is_err() && endpoint("127.0.0.1:1").is_err() && endpoint("http://127.0.0.1:1").is_ok());
    }
}
