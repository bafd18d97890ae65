//! Which clock a process has: the real one, or in a rehearsal the world's.

use crate::clock::{RealClock, ScaledClock};
use crate::loopback::is_loopback;
use crossfade_actions::ports::Clock;
use std::sync::Arc;

pub(crate) const CLOCK: &str = "CROSSFADE_CLOCK";
pub(crate) const ENDPOINT: &str = "AWS_ENDPOINT_URL";

/// A clock and its pace.
pub struct ChosenClock {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// World seconds to one real second; 1 for the real clock.
    pub scale: f64,
}

/// Why the environment's clock is not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClockError {
    /// It cannot be read.
    #[error("{CLOCK} is {0:?}: expected <world epoch in ms>,<real epoch in ms>,<scale above 0>")]
    Unreadable(
        /// What was given.
        String,
    ),
    /// A scaled clock would let bakes pass in seconds, so it must never run against production.
    #[error("{CLOCK} is set but {name} is {value:?}: a scaled clock runs only against a loopback address")]
    ScaledAwayFromHome {
        /// The variable that leads elsewhere.
        name: String,
        /// Its value.
        value: String,
    },
}

/// The clock that environment variables ask for. An empty value counts as none.
///
/// # Errors
/// `CROSSFADE_CLOCK` is set and cannot be read, or an endpoint is not on this machine.
pub fn chosen_clock(variables: &[(String, String)]) -> Result<ChosenClock, ClockError> {
    let text = variables.iter().find(|(name, value)| name == CLOCK && !value.is_empty());
    let Some((_, text)) = text else { return Ok(ChosenClock { clock: Arc::new(RealClock), scale: 1.0 }) };
    at_home(variables)?;
    let clock = ScaledClock::parse(text).ok_or_else(|| ClockError::Unreadable(text.clone()))?;
    Ok(ChosenClock { scale: clock.scale(), clock: Arc::new(clock) })
}

/// Every endpoint that was given is on this machine, and the one that stands for all services was given.
fn at_home(variables: &[(String, String)]) -> Result<(), ClockError> {
    let given = || variables.iter().filter(|(name, value)| name.starts_with(ENDPOINT) && !value.is_empty());
    if !given().any(|(name, _)| name == ENDPOINT) {
        return Err(ClockError::ScaledAwayFromHome { name: ENDPOINT.to_owned(), value: String::new() });
    }
    match given().find(|(_, value)| !is_loopback(value)) {
        None => Ok(()),
        Some((name, value)) => Err(ClockError::ScaledAwayFromHome { name: name.clone(), value: value.clone() }),
    }
}
