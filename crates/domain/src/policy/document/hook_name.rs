//! The names of an operator's functions.

use crate::policy::reader::{Place, Reader};

/// What every hook's name begins with: the functions' role may invoke nothing else.
pub(super) const HOOK_PREFIX: &str = "crossfade-hook-";

/// The name of a function that the state machines may call.
pub(super) fn hook_name(reader: &mut Reader, place: &Place<'_>) -> Option<String> {
    let what = format!("the name of a function, {HOOK_PREFIX}<name>");
    let name = reader.text(place, &what)?;
    let fitting = name.len() <= 64
        && name.strip_prefix(HOOK_PREFIX).is_some_and(|rest| {
            !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        });
    if !fitting {
        reader.note(&place.path, format!("{name:?}: expected {what} (64 letters, digits, - or _ at most)"));
        return None;
    }
    Some(name)
}
