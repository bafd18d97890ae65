//! The `create-route` function.

use crossfade_actions::functions::create_route::create_route;

// One thread: a function does one thing at a time, and a small one has less than one processor.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    crossfade_lambda::serve("create-route", create_route).await
}
