//! The `roll-back` function.

fn main() {}
