//! EC2 Auto Scaling over HTTP.

use crate::clock::WorldClock;
use crate::endpoints::aws_service::AwsService;
use crate::endpoints::query_protocol::{answered, operation, refused};
use bytes::Bytes;
use crossfade_world::auto_scaling::AutoScaling;
use crossfade_world::aws_error::AwsError;
use crossfade_world::elbv2::Elbv2;
use http::{Request, Response};
use std::sync::{Arc, Mutex};

const NAMESPACE: &str = "http://autoscaling.amazonaws.com/doc/2011-01-01/";

/// The Auto Scaling groups of a local world, which register their instances at its load balancers.
pub struct AutoScalingApi {
    groups: Arc<Mutex<AutoScaling>>,
    elbv2: Arc<Mutex<Elbv2>>,
    clock: WorldClock,
}

impl AutoScalingApi {
    /// Serves `groups`, whose instances are registered in `elbv2`, at the clock's time.
    pub fn new(groups: Arc<Mutex<AutoScaling>>, elbv2: Arc<Mutex<Elbv2>>, clock: WorldClock) -> Self {
        Self { groups, elbv2, clock }
    }
}

#[async_trait::async_trait]
impl AwsService for AutoScalingApi {
    async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        let (operation, input) = match operation(request.body()) {
            Ok(asked) => asked,
            Err(error) => return self.refusal(&error),
        };
        let now = self.clock.now();
        let answer = {
            let mut groups = self.groups.lock().expect("no holder of the lock panics");
            let mut elbv2 = self.elbv2.lock().expect("no holder of the lock panics");
            groups.call(now, &operation, &input, &mut elbv2)
        };
        match answer {
            Ok(output) => answered(NAMESPACE, &operation, &output),
            Err(error) => self.refusal(&error),
        }
    }

    fn refusal(&self, error: &AwsError) -> Response<Bytes> {
        refused(NAMESPACE, error)
    }
}
