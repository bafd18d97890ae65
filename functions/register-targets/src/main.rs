//! The `register-targets` function.

use crossfade_actions::functions::register_targets::register_targets;

fn main() -> Result<(), lambda_runtime::Error> {
    crossfade_lambda::serve("register-targets", register_targets)
}
