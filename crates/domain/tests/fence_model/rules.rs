//! The rules that Crossfade plays by, and the deliberate breakages of them.

/// What is different from the real rules.
#[expect(clippy::struct_excessive_bools, reason = "each is a breakage of its own, and some are combined")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Rules {
    /// `shift-weight` does not read the head again before a write.
    pub(crate) no_check_before_a_write: bool,
    /// `shift-weight` does not compare the head's generation with its cursor's when it starts.
    pub(crate) no_check_at_the_start: bool,
    /// The fence compares generations and leaves phase and intended step aside.
    pub(crate) fence_by_generation_alone: bool,
    /// A rollback leaves the generation as it is.
    pub(crate) rollback_keeps_the_generation: bool,
    /// A resume leaves the generation as it is.
    pub(crate) resume_keeps_the_generation: bool,
    /// A halt in a rollback is resumed as one on the way up.
    pub(crate) what_a_rollback_left_is_resumed: bool,
    /// The second look does not wait for late writers to die.
    pub(crate) no_settle: bool,
    /// The locks go when the routes were seen back for the first time.
    pub(crate) locks_released_before_verify: bool,
    /// The locks go at the end of settle, whatever the routes carry.
    pub(crate) no_second_look: bool,
    /// A rollback that finds another begun leaves it alone.
    pub(crate) rollbacks_do_not_join: bool,
    /// The shared route is not locked.
    pub(crate) one_route_is_not_locked: bool,
    /// A migration ends without the final bake, in which a shift that was invoked twice dies.
    pub(crate) no_final_bake: bool,
    /// Locks that a rollback released can be taken before its last writer is dead.
    pub(crate) locks_are_free_at_once: bool,
    /// An intent that met contention is recorded without a second look at the order of the steps.
    pub(crate) intent_out_of_order: bool,
}

/// How many of everything there are at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Invocations of `shift-weight`, at most two.
    pub(crate) shifters: usize,
    /// Invocations that roll back, at most two.
    pub(crate) returners: usize,
    /// Whether a halted migration may be resumed.
    pub(crate) resumes: bool,
    /// The last step of the schedule; step 0 attaches the new group at weight 0.
    pub(crate) last_step: u32,
}
