//! The `shift-weight` function.

use crossfade_actions::functions::shift_weight::shift_weight;

fn main() -> Result<(), lambda_runtime::Error> {
    crossfade_lambda::serve("shift-weight", shift_weight)
}
