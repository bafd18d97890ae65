//! The pure core of Crossfade: policy, plan, schedule, route edits, gates, judge, journal.
//!
//! **Invariant:** nothing here is async, reads a clock or the environment, or knows that AWS has an SDK. Whatever a
//! decision depends on is an argument, and the same arguments always give the same decision.

pub mod action;
pub mod alarm;
pub mod alarm_gate;
pub mod alarm_tags;
pub mod comparison;
pub mod cursor;
pub mod decode;
pub mod drift;
pub mod gate;
pub mod group;
pub mod health;
pub mod hook;
pub mod ids;
pub mod inventory;
pub mod journal;
pub mod judge;
pub mod judge_gate;
pub mod metric_query;
pub mod normal_form;
pub mod plan;
pub mod planner;
pub mod policy;
pub mod policy_document;
pub mod problem;
pub mod request;
pub mod route;
pub mod route_edit;
pub mod slice;
pub mod weight;
