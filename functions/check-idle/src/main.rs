//! The `check-idle` function.

use crossfade_actions::functions::retire::check_idle::check_idle;

fn main() -> Result<(), lambda_runtime::Error> {
    crossfade_lambda::serve("check-idle", check_idle)
}
