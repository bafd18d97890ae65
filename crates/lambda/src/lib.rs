//! What every function shares: decode, run, log, name the failure; and the one `Clock`.
//!
//! A function's `main.rs` calls [`serve`] with its name and its action; everything else is here.

mod chosen_clock;
mod clock;
mod configuration;
mod invocation;
mod loopback;

pub use chosen_clock::{ChosenClock, ClockError, chosen_clock};

use configuration::Configuration;
use crossfade_actions::error::ActionError;
use crossfade_actions::ports::Ports;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::Serialize;
use serde_json::Value;
use tracing_subscriber::EnvFilter;

/// Serves one function until the Runtime API is gone.
///
/// The payload reaches the action undecoded, so that a wrong one is the action's own `InvalidRequest`; a failure reaches
/// Step Functions as `errorType` (the error's class) and `errorMessage` (its chain of causes); a panic is `Internal`.
///
/// # Errors
/// The configuration is incomplete, or the Runtime API went away. The process ends with the error in its log.
pub async fn serve<T: Serialize>(
    name: &'static str,
    action: impl AsyncFn(&Ports, &Value) -> Result<T, ActionError>,
) -> Result<(), lambda_runtime::Error> {
    log_to_stdout();
    let Configuration { settings, clock } = Configuration::from_environment().inspect_err(|error| {
        tracing::error!(function = name, %error, "cannot start");
    })?;
    let ports = crossfade_aws::connect(&settings).await.with_clock(clock);
    let (ports, action) = (&ports, &action);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        invocation::run(name, &event.payload, async |input: &Value| action(ports, input).await)
            .await
            .map_err(|failure| Diagnostic { error_type: failure.class.to_owned(), error_message: failure.chain })
    }))
    .await
}

/// JSON lines without a time, since CloudWatch stamps them. `RUST_LOG` says how much.
fn log_to_stdout() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // The runtime would repeat every failure that `invocation` has just told, without its service.
    let silent = "lambda_runtime=off".parse().expect("this is a directive");
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false)
        .without_time()
        .with_env_filter(filter.add_directive(silent))
        .init();
}
