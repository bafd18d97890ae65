//! Whether the new side has traffic, as far as the journal knows.

use super::Head;

impl Head {
    /// Whether the new side may have traffic: a step above the attach was verified, or was begun and may be on some routes.
    pub fn new_side_may_have_traffic(&self) -> bool {
        self.verified_step.max(self.intended_step).is_some_and(|step| step > 0)
    }
}
