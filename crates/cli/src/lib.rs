//! The crossfade command.
