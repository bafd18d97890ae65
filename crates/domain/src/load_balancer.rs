//! What a load balancer stores, in our words: routes, their actions, target groups and tags.

pub mod action;
pub mod group;
pub mod metric_query;
pub mod route;
pub mod same_actions;
