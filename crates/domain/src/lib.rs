//! The pure core of Crossfade: every decision, and nothing that does anything.
//!
//! | room | what is decided there |
//! | --- | --- |
//! | `policy` | what the operator asks for: documents, one service's policy, requests; and every problem in them |
//! | `plan`, `planner` | what a migration will do; and how policy and inventory become it, or findings that refuse it |
//! | `load_balancer` | what a load balancer stores, in our words, and the tags that make a group ours |
//! | `weight`, `routing` | shares as integers; every edit that a route may get; drift |
//! | `alarms` | alarms that guard a migration; guard alarms, which Crossfade creates, with their thresholds and tags |
//! | `internal_route` | the route through which other services reach one: what is created, refused, removed |
//! | `opinion` | what a gate votes for, and why: to continue, to hold, to halt or to roll back |
//! | `fleet` | a run of all services of one policy: waves, budget, admission, and what each look decides |
//! | `gates` | what can stop a migration: alarms, an operator's pause, health, ...; the verdict, and when a bake ends |
//! | `judge`, `comparison` | the statistical comparison of new with old, and the figures that it is made from |
//! | `retirement` | removing the old side: proof that it is idle, each step, each undo, and what comes next |
//! | `rollback` | the way back: who may begin it, even of a halted migration; when it is withheld; what a route gets |
//! | `journal` | heads, events, and which event may follow in which phase |
//! | `under_way` | what is under way with a service, for which its stored policy has to stay |
//! | `cost` | what machines and functions do for a migration, and AWS's list prices |
//! | `windows` | when traffic may be raised, and when not: open hours, freezes, change calendars |
//! | `names` | services, migrations and ARNs, parsed once |
//!
//! **Invariant:** nothing here is async, reads a clock or the environment, or knows that AWS has an SDK. Everything
//! that a decision depends on is an argument, and the same arguments always give the same decision.

pub mod alarms;
pub mod comparison;
pub mod cost;
pub mod fleet;
pub mod gates;
pub mod internal_route;
pub mod journal;
pub mod judge;
pub mod load_balancer;
pub mod names;
pub mod opinion;
pub mod plan;
pub mod planner;
pub mod policy;
pub mod probe;
pub mod retirement;
pub mod rollback;
pub mod routing;
pub mod under_way;
pub mod weight;
pub mod windows;
