//! The `check-fleet` function.

use crossfade_actions::functions::check_fleet::check_fleet;

fn main() -> Result<(), lambda_runtime::Error> {
    crossfade_lambda::serve("check-fleet", check_fleet)
}
