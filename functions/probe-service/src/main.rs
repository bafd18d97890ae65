//! The `probe-service` function.

use crossfade_actions::functions::probe_service::probe_service;

fn main() -> Result<(), lambda_runtime::Error> {
    crossfade_lambda::serve("probe-service", probe_service)
}
