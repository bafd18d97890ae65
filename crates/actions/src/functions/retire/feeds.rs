//! Takes old groups from the Auto Scaling groups that register their instances there, and gives them back.

use super::record::fence;
use crate::error::{ActionError, Doing as _};
use crate::ports::{PortError, Ports};
use crossfade_domain::retirement::{Feed, Retirement};

/// Detaches the old groups; returns what is to be waited for. AWS deregisters the instances, which go on running.
///
/// # Errors
/// `Superseded` where an undo has begun meanwhile; the port's.
pub(super) async fn detach_feeds(
    ports: &Ports,
    retirement: &Retirement,
    feeds: &[Feed],
) -> Result<String, ActionError> {
    for feed in feeds {
        fence(ports, retirement).await?;
        let detached = ports.auto_scaling.detach(&feed.scaling_group, std::slice::from_ref(&feed.group)).await;
        if let Err(error) = &detached
            && is_refreshing(error)
        {
            return Ok(refreshing(feed, "detaches"));
        }
        detached.doing(|| format!("detaching Auto Scaling group {}", feed.describe()))?;
    }
    Ok("Auto Scaling groups were detached".to_owned())
}

/// Attaches the old groups again; returns what has to wait.
///
/// # Errors
/// As [`detach_feeds`].
pub(super) async fn attach_feeds(
    ports: &Ports,
    retirement: &Retirement,
    feeds: &[Feed],
) -> Result<Option<String>, ActionError> {
    let mut waits = None;
    for feed in feeds {
        fence(ports, retirement).await?;
        let attached = ports.auto_scaling.attach(&feed.scaling_group, std::slice::from_ref(&feed.group)).await;
        match attached {
            // The routes do not wait for it: the recorded targets are registered without it.
            Err(error) if is_refreshing(&error) => waits = Some(refreshing(feed, "attaches")),
            attached => attached.doing(|| format!("attaching Auto Scaling group {}", feed.describe()))?,
        }
    }
    Ok(waits)
}

fn is_refreshing(error: &PortError) -> bool {
    error.code() == Some("InstanceRefreshInProgress")
}

fn refreshing(feed: &Feed, does: &str) -> String {
    format!(
        "an instance refresh of Auto Scaling group {0} is running, and AWS {does} nothing until it is over: aws \
         autoscaling describe-instance-refreshes --auto-scaling-group-name {0}",
        feed.scaling_group
    )
}
