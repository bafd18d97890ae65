//! Connections to a world on this machine.

use crate::{Connections, Settings, connect_with};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};

/// Connects to an endpoint that serves every service, with credentials of no account.
///
/// It reads nothing from the environment or from files. The user's profile, endpoints and credentials for AWS do not
/// matter: these connections lead only to `endpoint_url`.
pub fn connect_local(endpoint_url: &str, region: &str, settings: &Settings) -> Connections {
    let credentials = Credentials::new("local", "local", None, None, "local world");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(region.to_owned()))
        .endpoint_url(endpoint_url)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    connect_with(&config, settings)
}
