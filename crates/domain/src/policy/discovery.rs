//! A first policy, drafted from everything behind the load balancers of an account.
//!
//! `survey` is what was read. `candidates` decides which target groups are one service, and which are left out. `draft`
//! writes the policy, and `merge` adds new services to one that people have edited.

pub mod candidates;
pub mod draft;
pub mod merge;
pub mod names;
pub mod survey;

#[cfg(test)]
mod tests;
