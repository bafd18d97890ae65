//! A run of a fleet, look by look, on hand-made heads.

mod admission;
mod budget;
mod commands;
mod fixture;
mod forecasts;
mod large;
mod looks;
mod observing;
mod outlooks;
mod properties;
mod retiring;
mod waves;
mod world;
