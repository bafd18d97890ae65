//! The `probe-service` function.

use crossfade_actions::functions::probe_service::probe_service;

// One thread: a function does one thing at a time, and a small one has less than one processor.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    crossfade_lambda::serve("probe-service", probe_service).await
}
