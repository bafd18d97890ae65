//! What a function is told by its environment, read once.

use crate::chosen_clock::{ClockError, chosen_clock};
use crossfade_actions::ports::Clock;
use crossfade_aws::Settings;
use std::sync::Arc;

const TABLE: &str = "CROSSFADE_TABLE";
const STACK: &str = "CROSSFADE_STACK";
const ROLL_BACK_MACHINE: &str = "CROSSFADE_ROLL_BACK_MACHINE";

/// What a function is told.
pub(crate) struct Configuration {
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Why a function does not start.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConfigurationError {
    #[error("environment variable {0} is not set")]
    Missing(&'static str),
    #[error(transparent)]
    Clock(#[from] ClockError),
}

impl Configuration {
    #[expect(clippy::disallowed_methods, reason = "the one place where a function reads its environment")]
    pub(crate) fn from_environment() -> Result<Self, ConfigurationError> {
        Self::from_variables(std::env::vars())
    }

    fn from_variables(variables: impl Iterator<Item = (String, String)>) -> Result<Self, ConfigurationError> {
        let variables: Vec<(String, String)> = variables.filter(|(_, value)| !value.is_empty()).collect();
        let value = |name: &str| variables.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let required = |name: &'static str| value(name).ok_or(ConfigurationError::Missing(name));
        let settings =
            Settings { table: required(TABLE)?, stack: required(STACK)?, roll_back_machine: value(ROLL_BACK_MACHINE) };
        Ok(Self { settings, clock: chosen_clock(&variables)?.clock })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chosen_clock::{CLOCK, ENDPOINT};
    use jiff::Timestamp;

    fn read(variables: &[(&str, &str)]) -> Result<Configuration, ConfigurationError> {
        let base = [(TABLE, "crossfade"), (STACK, "crossfade")];
        let all = base.iter().chain(variables);
        Configuration::from_variables(all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[track_caller]
    fn check_refused(variables: &[(&str, &str)], expected: &str) {
        let error = read(variables).err().expect("this configuration must be refused");
        assert!(error.to_string().contains(expected), "{error}");
    }

    const HOME: (&str, &str) = (ENDPOINT, "http://127.0.0.1:4566");

    #[test]
    fn a_scaled_clock_runs_only_against_this_machine() {
        let clock = (CLOCK, "0,0,120");
        assert!(read(&[clock, HOME]).is_ok());
        check_refused(&[clock], "AWS_ENDPOINT_URL is \"\"");
        check_refused(&[clock, (ENDPOINT, "https://example.com")], "https://example.com");
        check_refused(&[clock, HOME, ("AWS_ENDPOINT_URL_DYNAMODB", "http://10.0.0.1")], "AWS_ENDPOINT_URL_DYNAMODB");
        check_refused(&[(CLOCK, "soon"), HOME], "soon");
    }

    #[test]
    fn without_a_scaled_clock_time_is_real() {
        let configuration = read(&[(ROLL_BACK_MACHINE, "arn")]).unwrap();
        assert_eq!(configuration.settings.roll_back_machine.as_deref(), Some("arn"));
        let year_2020 = Timestamp::from_second(1_577_836_800).unwrap();
        assert!(configuration.clock.now() > year_2020);
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = Configuration::from_variables(std::iter::empty()).err().unwrap();
        assert_eq!(error, ConfigurationError::Missing(TABLE));
    }
}
