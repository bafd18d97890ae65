//! Which clock a process has: the real one, or a local world's.

use crate::driven::DrivenClock;
use crate::loopback::is_loopback;
use crate::onlooker::OnlookerClock;
use crate::real::RealClock;
use crossfade_actions::ports::Clock;
use std::net::SocketAddr;
use std::sync::Arc;

/// Names a local world's clock: `<address>,<scale>` for onlookers, `<address>,driven` for the world's own functions.
pub const CLOCK: &str = "CROSSFADE_CLOCK";
/// The AWS SDK's variable for an endpoint that serves every service; those of single services begin with it.
pub const ENDPOINT: &str = "AWS_ENDPOINT_URL";

/// The clock that the environment asks for.
pub enum ChosenClock {
    /// None is asked for.
    Real,
    /// A local world's, for a process that looks on.
    Onlooker {
        /// The clock.
        clock: Arc<OnlookerClock>,
        /// World seconds to one real second, at the most.
        scale: f64,
    },
    /// A local world's, for one of its functions.
    Driven(DrivenClock),
}

impl ChosenClock {
    /// The clock as actions use it.
    pub fn port(&self) -> Arc<dyn Clock> {
        match self {
            Self::Real => Arc::new(RealClock),
            Self::Onlooker { clock, .. } => Arc::clone(clock) as Arc<dyn Clock>,
            Self::Driven(clock) => Arc::new(clock.clone()),
        }
    }

    /// World seconds to one real second, at the most; 1 for a clock that is not an onlooker's.
    pub fn scale(&self) -> f64 {
        match self {
            Self::Onlooker { scale, .. } => *scale,
            Self::Real | Self::Driven(_) => 1.0,
        }
    }

    /// The clock of a process that the world waits for.
    pub fn driven(&self) -> Option<&DrivenClock> {
        match self {
            Self::Driven(clock) => Some(clock),
            Self::Real | Self::Onlooker { .. } => None,
        }
    }
}

/// Why the environment's clock is not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClockError {
    /// It cannot be read.
    #[error("{CLOCK} is {0:?}: expected <loopback address>:<port>,<scale above 0, or the word driven>")]
    Unreadable(
        /// The given value.
        String,
    ),
    /// World time lets bakes pass in seconds, so it must never run against production.
    #[error("{CLOCK} is set but {name} is {value:?}: a local world's clock runs only against a loopback address")]
    NotLoopback {
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
    let Some((_, text)) = text else { return Ok(ChosenClock::Real) };
    require_loopback(variables)?;
    parse(text).ok_or_else(|| ClockError::Unreadable(text.clone()))
}

fn parse(text: &str) -> Option<ChosenClock> {
    let (address, kind) = text.split_once(',')?;
    let address: SocketAddr = address.trim().parse().ok()?;
    if !address.ip().is_loopback() {
        return None;
    }
    if kind.trim() == "driven" {
        return Some(ChosenClock::Driven(DrivenClock::at(address)));
    }
    let scale: f64 = kind.trim().parse().ok()?;
    let clock = Arc::new(OnlookerClock::at(address, scale));
    (scale.is_finite() && scale > 0.0).then_some(ChosenClock::Onlooker { clock, scale })
}

/// Requires that the endpoint for all services is given, and that every endpoint that is given is on this machine.
fn require_loopback(variables: &[(String, String)]) -> Result<(), ClockError> {
    let given = || variables.iter().filter(|(name, value)| name.starts_with(ENDPOINT) && !value.is_empty());
    if !given().any(|(name, _)| name == ENDPOINT) {
        return Err(ClockError::NotLoopback { name: ENDPOINT.to_owned(), value: String::new() });
    }
    match given().find(|(_, value)| !is_loopback(value)) {
        None => Ok(()),
        Some((name, value)) => Err(ClockError::NotLoopback { name: name.clone(), value: value.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_cannot_run_is_no_clock() {
        for bad in ["", "soon", "127.0.0.1:9", "127.0.0.1:9,0", "127.0.0.1:9,-1", "127.0.0.1:9,inf", "10.0.0.1:9,120"] {
            assert!(parse(bad).is_none(), "{bad}");
        }
        assert!(matches!(parse("127.0.0.1:9,120"), Some(ChosenClock::Onlooker { scale: 120.0, .. })));
        assert!(parse("127.0.0.1:9,driven").is_some_and(|clock| clock.driven().is_some()));
    }
}
