//! The judge as a whole.

mod bound;
mod founding_case;
mod properties;
mod vectors;
