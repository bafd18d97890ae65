//! The `roll-back` function.

use crossfade_actions::functions::roll_back::roll_back;

fn main() -> Result<(), lambda_runtime::Error> {
    crossfade_lambda::serve("roll-back", roll_back)
}
