//! Users' traffic: the load, the load balancers' data plane, and the clusters that respond.

pub mod cluster;
pub mod controller;
pub mod data_plane;
pub mod load;
