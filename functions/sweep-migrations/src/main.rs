//! The `sweep-migrations` function.

fn main() {}
