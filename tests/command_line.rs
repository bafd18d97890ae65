//! The command line as people and pipelines use it: transcripts against one kept rehearsal, the help pages, and what
//! fails before AWS is called. Regenerate transcripts and help with `just transcripts`.

mod bad_policies;
mod closed_door;
mod first_steps;
mod fleet;
mod fleet_ends;
mod help;
mod judging;
mod last_steps;
mod manifests;
mod offline;
mod pages;
mod private_authority;
mod probe_from_here;
mod reports;
mod shaky_line;
mod terminal;
mod transcript;
mod verbs;
mod way_in;
mod wiring;
