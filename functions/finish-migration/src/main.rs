//! The `finish-migration` function.

fn main() {}
