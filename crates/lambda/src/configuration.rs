//! The configuration of a function, read once from its environment.

use crossfade_actions::ports::Clock;
use crossfade_aws::{Connections, MissingVariable, Settings, connect};
use crossfade_clock::{ClockError, chosen_clock};
use std::sync::Arc;

const TABLE: &str = "CROSSFADE_TABLE";
const STACK: &str = "CROSSFADE_STACK";
const MIGRATE_MACHINE: &str = "CROSSFADE_MIGRATE_MACHINE";
const ROLL_BACK_MACHINE: &str = "CROSSFADE_ROLL_BACK_MACHINE";
const RETIRE_MACHINE: &str = "CROSSFADE_RETIRE_MACHINE";

/// The configuration of a function.
pub(crate) struct Configuration {
    pub(crate) connections: Connections,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Why a function does not start.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConfigurationError {
    #[error("environment variable {0} is not set")]
    Missing(&'static str),
    #[error(transparent)]
    Aws(#[from] MissingVariable),
    #[error(transparent)]
    Clock(#[from] ClockError),
}

/// The environment; a variable that is empty counts as not set.
#[expect(clippy::disallowed_methods, reason = "the one place where a function reads its environment")]
pub(crate) fn environment() -> Vec<(String, String)> {
    std::env::vars().filter(|(_, value)| !value.is_empty()).collect()
}

impl Configuration {
    pub(crate) fn of(variables: &[(String, String)]) -> Result<Self, ConfigurationError> {
        let value = |name: &str| variables.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let required = |name: &'static str| value(name).ok_or(ConfigurationError::Missing(name));
        let settings = Settings {
            table: required(TABLE)?,
            stack: required(STACK)?,
            migrate_machine: value(MIGRATE_MACHINE),
            roll_back_machine: value(ROLL_BACK_MACHINE),
            retire_machine: value(RETIRE_MACHINE),
        };
        let clock = chosen_clock(variables)?;
        Ok(Self { connections: connect(&settings, variables, clock.driven())?, clock: clock.port() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossfade_clock::{CLOCK, ENDPOINT};
    use jiff::Timestamp;

    fn read(variables: &[(&str, &str)]) -> Result<Configuration, ConfigurationError> {
        let aws = [("AWS_REGION", "eu-west-1"), ("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "secret")];
        let base = [&aws[..], &[(TABLE, "crossfade"), (STACK, "crossfade")]].concat();
        let all = base.iter().chain(variables).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Configuration::of(&all.collect::<Vec<_>>())
    }

    #[track_caller]
    fn check_refused(variables: &[(&str, &str)], expected: &str) {
        let error = read(variables).err().expect("this configuration must be refused");
        assert!(error.to_string().contains(expected), "{error}");
    }

    const HOME: (&str, &str) = (ENDPOINT, "http://127.0.0.1:4566");

    #[test]
    fn a_worlds_clock_runs_only_against_this_machine() {
        let clock = (CLOCK, "127.0.0.1:9,driven");
        assert!(read(&[clock, HOME]).is_ok());
        check_refused(&[clock], "AWS_ENDPOINT_URL is \"\"");
        check_refused(&[clock, (ENDPOINT, "https://example.com")], "https://example.com");
        check_refused(&[clock, HOME, ("AWS_ENDPOINT_URL_DYNAMODB", "http://10.0.0.1")], "AWS_ENDPOINT_URL_DYNAMODB");
        check_refused(&[(CLOCK, "soon"), HOME], "soon");
    }

    #[test]
    fn without_a_worlds_clock_time_is_real() {
        let configuration = read(&[]).unwrap();
        let year_2020 = Timestamp::from_second(1_577_836_800).unwrap();
        assert!(configuration.clock.now() > year_2020);
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = Configuration::of(&[]).err().unwrap();
        assert_eq!(error, ConfigurationError::Missing(TABLE));
        let names =
            [(TABLE, "crossfade"), (STACK, "crossfade")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let error = Configuration::of(&names).err().unwrap();
        assert_eq!(error.to_string(), "environment variable AWS_REGION is not set");
    }
}
