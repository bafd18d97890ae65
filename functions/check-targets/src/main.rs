//! The `check-targets` function.

use crossfade_actions::functions::check_targets::check_targets;

fn main() -> Result<(), lambda_runtime::Error> {
    crossfade_lambda::serve("check-targets", check_targets)
}
