//! The `create-route` function.

use crossfade_actions::functions::create_route::create_route;

fn main() -> Result<(), lambda_runtime::Error> {
    crossfade_lambda::serve("create-route", create_route)
}
