//! What a function returns: the cursor that the state machine carries on.

use crossfade_domain::journal::Head;
use crossfade_domain::journal::cursor::{Cursor, NextStep};

/// The answer about a migration of which no step matters.
pub(crate) fn answer(head: &Head, verdict: NextStep, reason: impl Into<String>) -> Cursor {
    Cursor {
        migration: Some(head.migration.clone()),
        generation: head.generation,
        ..Cursor::without_migration(head.service.clone(), verdict, reason)
    }
}
