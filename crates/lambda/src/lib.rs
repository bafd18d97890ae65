//! What every function shares: decode, run, log, name the failure.
//!
//! A function's `main.rs` calls [`serve`] with its name and its action; everything else is here.

mod configuration;
mod invocation;

use configuration::Configuration;
use crossfade_actions::error::ActionError;
use crossfade_actions::ports::Ports;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::Serialize;
use serde_json::Value;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Serves one function until the Runtime API is gone.
///
/// The action decodes the payload itself, so a wrong one is its own `InvalidRequest`. A failure reaches Step Functions
/// as `errorType` (the error's class) and `errorMessage` (its chain of causes). A panic is `Internal`.
///
/// # Errors
/// The configuration is incomplete, or the Runtime API went away. The process ends with the error in its log.
pub fn serve<T: Serialize>(
    name: &'static str,
    action: impl AsyncFn(&Ports, &Value) -> Result<T, ActionError>,
) -> Result<(), lambda_runtime::Error> {
    // One thread: a function does one thing at a time, and a small one has less than one processor.
    crossfade_clock::block_on(answer(name, action))?
}

async fn answer<T: Serialize>(
    name: &'static str,
    action: impl AsyncFn(&Ports, &Value) -> Result<T, ActionError>,
) -> Result<(), lambda_runtime::Error> {
    let variables = configuration::environment();
    log_to_stdout(log_levels(&variables));
    let Configuration { connections, clock } = Configuration::of(&variables).inspect_err(|error| {
        tracing::error!(function = name, %error, "cannot start");
    })?;
    let ports = connections.with_clock(clock);
    let (ports, action) = (&ports, &action);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        invocation::run(name, &event.payload, async |input: &Value| action(ports, input).await).await.map_err(
            |failure| Diagnostic { error_type: failure.class.as_str().to_owned(), error_message: failure.chain },
        )
    }))
    .await
}

/// What `RUST_LOG` asks for: a level, or `target=level` with commas. What cannot be read counts as `info`.
fn log_levels(variables: &[(String, String)]) -> Targets {
    let asked = variables.iter().find(|(name, _)| name == "RUST_LOG").and_then(|(_, levels)| levels.parse().ok());
    let levels: Targets = asked.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    // The runtime would repeat every failure that `invocation` has just told, without its service.
    levels.with_target("lambda_runtime", LevelFilter::OFF)
}

/// JSON lines without a time, since CloudWatch stamps them.
fn log_to_stdout(levels: Targets) {
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false)
        .without_time();
    tracing_subscriber::registry().with(levels).with(lines).init();
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    fn levels(rust_log: &str) -> Targets {
        log_levels(&[("RUST_LOG".to_owned(), rust_log.to_owned())])
    }

    #[test]
    fn levels_are_read_as_everywhere_and_the_runtime_stays_silent() {
        assert!(levels("debug").would_enable("crossfade_aws", &Level::DEBUG));
        assert!(levels("warn,crossfade_aws=trace").would_enable("crossfade_aws::elb", &Level::TRACE));
        assert!(!levels("warn").would_enable("crossfade_aws", &Level::INFO));
        assert!(!levels("trace").would_enable("lambda_runtime", &Level::ERROR));
    }

    #[test]
    fn levels_that_cannot_be_read_are_info() {
        for levels in [levels("loud=="), log_levels(&[])] {
            assert!(levels.would_enable("crossfade_aws", &Level::INFO));
            assert!(!levels.would_enable("crossfade_aws", &Level::DEBUG));
        }
    }
}
