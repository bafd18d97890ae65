//! What a load balancer stores, in our words: routes, their actions, target
//! groups, and the tags that make a group ours.

pub mod action;
pub mod difference;
pub mod group;
pub mod membership;
pub mod metric_query;
pub mod our_tags;
pub mod owner;
pub mod room;
pub mod route;
pub mod rule;
pub mod same_actions;
pub mod scaling_group;
pub mod wildcard;
