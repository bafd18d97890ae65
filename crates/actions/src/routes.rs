//! Routes on the way up: list them, read them, raise them, read them back.

pub(crate) mod list;
pub(crate) mod raise;
pub(crate) mod read;
