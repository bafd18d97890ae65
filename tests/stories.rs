//! The actions against the world: one by one, and driven by the real state machines in virtual time.

mod abandoned;
mod after_the_end;
mod alarm_answers;
mod alarm_events;
mod attempts;
mod every_call;
mod every_moment;
mod guarding;
mod held_shifts;
mod hooks;
mod judging;
mod migrating;
mod new_rules;
mod observing;
mod order;
mod outside_gates;
mod pace;
mod planning;
mod resuming;
mod rolling_back;
mod sdk_retries;
mod shifting;
mod slow_answers;
pub(crate) mod stage;
mod warming;
mod way_back;
mod windows;
