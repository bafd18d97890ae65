//! Why a command could not sign in, and what to say.

use crate::ending::failure::{Failure, chain};
use crate::exit_code::ExitCode;
use crossfade_actions::ports::PortError;
use crossfade_aws::SignInError;
use std::error::Error;

/// What was in the way of signing in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// The clock of a local world.
    Clock,
    /// The region: none, or not the local world's.
    Region,
    /// The profile: there is none of its name.
    Profile,
    /// No credentials were found.
    NoCredentials,
    /// The credentials were refused.
    Denied,
    /// AWS gave no answer.
    Unreachable,
}

/// Why signing in failed.
#[derive(Debug, PartialEq, Eq)]
pub struct NotSignedIn {
    /// What was in the way.
    pub obstacle: Obstacle,
    /// What to print.
    pub failure: Failure,
}

impl From<NotSignedIn> for Failure {
    fn from(error: NotSignedIn) -> Self {
        error.failure
    }
}

impl NotSignedIn {
    /// The clock that the environment asks for cannot be had.
    pub fn clock(error: &dyn Error) -> Self {
        Self { obstacle: Obstacle::Clock, failure: Failure::bad_input(error.to_string()) }
    }

    /// What to say of an error of signing in at this endpoint, if it is not AWS's own.
    pub fn of(error: &SignInError, endpoint: Option<&str>) -> Self {
        let no_access = |message| Failure::new(ExitCode::NoAccess, message);
        let (obstacle, failure) = match error {
            SignInError::NoRegion => (
                Obstacle::Region,
                Failure::bad_input(
                    "no region is set\n  give --region, set AWS_REGION, or name one in the profile of ~/.aws/config",
                ),
            ),
            SignInError::NoProfile(_) => (
                Obstacle::Profile,
                Failure::bad_input(format!(
                    "{}\n  `aws configure list-profiles` lists the existing ones; correct --profile",
                    chain(error)
                )),
            ),
            SignInError::NoCredentials(_) => (
                Obstacle::NoCredentials,
                no_access(format!(
                    "{}\n  set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; after `aws sso login`, run \
                     eval \"$(aws configure export-credentials --format env)\"",
                    chain(error)
                )),
            ),
            SignInError::NoIdentity(PortError::Denied { .. }) => (
                Obstacle::Denied,
                no_access(format!("{}\n  the credentials are wrong or have expired: sign in again", chain(error))),
            ),
            SignInError::NoIdentity(_) => {
                (Obstacle::Unreachable, no_access(format!("{}\n  {}", chain(error), unreachable(endpoint))))
            }
        };
        Self { obstacle, failure }
    }
}

/// What to do where nothing answers.
pub fn unreachable(endpoint: Option<&str>) -> String {
    match endpoint {
        Some(url) => format!(
            "the endpoint is {url} (--endpoint-url or AWS_ENDPOINT_URL): is it still running? unset it to reach AWS \
             itself"
        ),
        None => "is this machine online, and can it reach AWS (proxy, VPN)? retrying is safe".to_owned(),
    }
}

/// Refuses a region that is not the local world's, whose listeners have their region in their ARNs.
///
/// # Errors
/// It is another region.
pub fn refuse_another_region(region: &str, listeners: &str) -> Result<(), NotSignedIn> {
    let of_world = listeners.split(':').nth(3).unwrap_or(region);
    if of_world == region {
        return Ok(());
    }
    let message = format!(
        "the local world is in {of_world}, and not in {region}\n  leave out --region, and set AWS_REGION={of_world}"
    );
    Err(NotSignedIn { obstacle: Obstacle::Region, failure: Failure::bad_input(message) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_of_a_local_world_is_known_by_its_listeners() {
        let listeners = "arn:aws:elasticloadbalancing:eu-west-1:000000000000:listener/app/users/1/2=127.0.0.1:4000";
        assert_eq!(refuse_another_region("eu-west-1", listeners), Ok(()));
        assert_eq!(refuse_another_region("us-east-1", ""), Ok(()), "a world that does not say where it is");
        let refused = refuse_another_region("us-east-1", listeners).unwrap_err();
        assert_eq!((refused.obstacle, refused.failure.code), (Obstacle::Region, ExitCode::BadInput));
        assert!(refused.failure.message.starts_with("the local world is in eu-west-1, and not in us-east-1"));
    }
}
