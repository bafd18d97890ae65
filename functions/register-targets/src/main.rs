//! The `register-targets` function.

fn main() {}
