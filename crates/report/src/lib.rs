//! What came of a migration, a fleet or a rehearsal, as one HTML page without script and without any outside request.
//!
//! It draws from journal, plan and counts alone, so the page of a migration on AWS and that of a rehearsal are the
//! same. Pure: no clock, no I/O.
//!
//! | module | what is in it |
//! | --- | --- |
//! | `input` | what a page is drawn from |
//! | `migration`, `fleet`, `rehearsal` | a page each |
//! | `section` | the sections of a migration's page |
//! | `chart` | charts in SVG, each with its numbers as a table |
//! | `page` | the document around it: style, policy, landmarks |
//! | `words` | times, spans and numbers for people |

mod chart;
mod fleet;
mod input;
mod migration;
mod page;
mod rehearsal;
mod section;
mod words;

pub use fleet::fleet_page;
pub use input::{
    Act, Clients, CountsSource, FleetMigration, FleetReport, Judge, JudgeSaid, MigrationReport, RehearsalReport,
    Traffic, Written,
};
pub use migration::migration_page;
pub use rehearsal::rehearsal_page;
pub use section::verdict::{Outcome, Verdict};

#[cfg(test)]
mod tests;
