//! What several verbs are given.

use clap::ValueEnum;
use crossfade_domain::names::ServiceName;
use crossfade_domain::policy::document::parsed_duration;
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

/// The longest wait, a year in seconds: what is longer cannot be added to a time.
const LONGEST: i64 = 366 * 24 * 3600;

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
    let seconds = parsed_duration(text)
        .and_then(|seconds| i64::try_from(seconds).ok())
        .filter(|seconds| (1..=LONGEST).contains(seconds));
    seconds
        .map(SignedDuration::from_secs)
        .ok_or_else(|| "expected a duration such as 90s, 10m or 1h30m, a year at most".to_owned())
}

/// A stack's name.
///
/// # Errors
/// What CloudFormation takes for one.
pub fn stack(text: &str) -> Result<String, String> {
    // A pipeline that passes an empty variable on means the default.
    if text.is_empty() {
        return Ok("crossfade".to_owned());
    }
    let fits = text.len() <= 128
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
    fits.then(|| text.to_owned())
        .ok_or_else(|| "expected a stack's name: a letter, then letters, digits and hyphens".to_owned())
}

/// A region's name.
///
/// # Errors
/// What a region looks like.
pub fn region(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split('-').collect();
    let letters = |part: &&str| !part.is_empty() && part.chars().all(|letter| letter.is_ascii_lowercase());
    let fits = parts.len() >= 3
        && parts[..parts.len() - 1].iter().all(letters)
        && parts.last().is_some_and(|number| number.len() <= 2 && number.parse::<u8>().is_ok());
    fits.then(|| text.to_owned()).ok_or_else(|| "expected a region such as eu-west-1".to_owned())
}

/// The address of an endpoint.
///
/// # Errors
/// What an address looks like.
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
    fn a_wait_longer_than_a_year_is_no_duration() {
        assert!(duration("99999999999h").is_err());
        assert!(duration("30d").is_ok());
    }

    #[test]
    fn stacks_regions_and_endpoints_are_parsed() {
        assert_eq!(stack("").as_deref(), Ok("crossfade"));
        assert!(stack("cross fade").is_err() && stack("1st").is_err() && stack("crossfade-staging").is_ok());
        assert!(region("Dublin").is_err() && region("").is_err() && region("us-gov-west-1").is_ok());
        assert!(endpoint("").is_err() && endpoint("127.0.0.1:1").is_err() && endpoint("http://127.0.0.1:1").is_ok());
    }
}
