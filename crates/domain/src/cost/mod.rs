//! What a migration makes AWS do, and what that costs at AWS's list prices.

mod prices;
mod work;

pub use prices::{
    INVOCATIONS_AROUND, TRANSITIONS_AROUND, TRANSITIONS_OF_A_SHIFT, TRANSITIONS_OF_A_SLICE, USD_PER_INVOCATION,
    USD_PER_METRIC, USD_PER_TRANSITION,
};
pub use work::Work;
