//! The one source of time of a process.
//!
//! | type | whose time | who uses it |
//! | --- | --- | --- |
//! | [`RealClock`] | the machine's | every function and command in production |
//! | [`OnlookerClock`] | a local world's, read over a socket | a command in a second terminal |
//! | [`DrivenClock`] | a local world's, which stands still while this process works | the functions of a rehearsal |
//!
//! **Invariant:** a local world's clock is used only if every AWS endpoint is on this machine too ([`chosen_clock`]).
//! World time runs faster than real time, so bakes would pass in seconds.

mod chosen;
mod driven;
mod line;
mod loopback;
mod onlooker;
mod real;
mod runtime;
mod waits;

pub use chosen::{CLOCK, ChosenClock, ClockError, ENDPOINT, chosen_clock};
pub use driven::DrivenClock;
pub use onlooker::OnlookerClock;
pub use real::RealClock;
pub use runtime::block_on;
pub use waits::CallUnderWay;
