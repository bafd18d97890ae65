//! Maps targets to local servers.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, RwLock};

/// The local server for each target, by instance id or IP address, and port.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    places: Arc<RwLock<HashMap<(String, u16), SocketAddr>>>,
}

impl Directory {
    /// Adds or moves a target.
    pub fn insert(&self, target: &str, port: u16, address: SocketAddr) {
        self.places.write().expect("no holder of the lock panics").insert((target.to_owned(), port), address);
    }

    /// Removes a target, so that connections to it fail.
    pub fn remove(&self, target: &str, port: u16) {
        self.places.write().expect("no holder of the lock panics").remove(&(target.to_owned(), port));
    }

    /// Returns a target's local server.
    pub fn find(&self, target: &str, port: u16) -> Option<SocketAddr> {
        self.places.read().expect("no holder of the lock panics").get(&(target.to_owned(), port)).copied()
    }
}
