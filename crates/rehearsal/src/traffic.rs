//! Users' traffic: load, the load balancers' data plane, and the clusters that answer.

pub mod cluster;
pub mod data_plane;
pub mod load;
