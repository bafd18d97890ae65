//! serve(): decode, run, log, name the failure; builds the one Clock.
