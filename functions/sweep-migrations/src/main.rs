//! The `sweep-migrations` function.

use crossfade_actions::functions::sweep_migrations::sweep_migrations;

fn main() -> Result<(), lambda_runtime::Error> {
    crossfade_lambda::serve("sweep-migrations", sweep_migrations)
}
