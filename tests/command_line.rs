//! The command line as a person and a pipeline use it: transcripts against one kept rehearsal, and what goes wrong
//! before anything is reached. Regenerate the transcripts with `just transcripts`.

mod closed_door;
mod offline;
mod private_authority;
mod shaky_line;
mod terminal;
mod transcript;
mod verbs;
