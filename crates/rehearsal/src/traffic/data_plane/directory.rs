//! Which local server stands for which target.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, RwLock};

/// Where targets really are: an instance id (or IP address) and a port, and the local server that stands for them.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    places: Arc<RwLock<HashMap<(String, u16), SocketAddr>>>,
}

impl Directory {
    /// Enters a target, or moves it.
    pub fn insert(&self, target: &str, port: u16, address: SocketAddr) {
        self.places.write().expect("no holder of the lock panics").insert((target.to_owned(), port), address);
    }

    /// Strikes a target out: connections to it fail.
    pub fn remove(&self, target: &str, port: u16) {
        self.places.write().expect("no holder of the lock panics").remove(&(target.to_owned(), port));
    }

    /// Where a target is.
    pub fn find(&self, target: &str, port: u16) -> Option<SocketAddr> {
        self.places.read().expect("no holder of the lock panics").get(&(target.to_owned(), port)).copied()
    }
}
