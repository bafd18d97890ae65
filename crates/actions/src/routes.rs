//! Routes on the way up: read them, raise them, read them back.

pub(crate) mod raise;
pub(crate) mod read;
