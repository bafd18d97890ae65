//! ELBv2 over HTTP: awsQuery in, XML out.

use crate::clock::WorldClock;
use crate::endpoints::aws_service::AwsService;
use crate::endpoints::query_protocol::{answered, operation, refused};
use bytes::Bytes;
use crossfade_world::aws_error::AwsError;
use crossfade_world::elbv2::Elbv2;
use http::{Request, Response};
use std::sync::{Arc, Mutex};

const NAMESPACE: &str = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/";

/// The control plane of the load balancers, served over HTTP.
pub struct Elbv2Api {
    world: Arc<Mutex<Elbv2>>,
    clock: WorldClock,
}

impl Elbv2Api {
    /// Serves `world` at the clock's time.
    pub fn new(world: Arc<Mutex<Elbv2>>, clock: WorldClock) -> Self {
        Self { world, clock }
    }
}

#[async_trait::async_trait]
impl AwsService for Elbv2Api {
    async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        let (operation, input) = match operation(request.body()) {
            Ok(asked) => asked,
            Err(error) => return self.refusal(&error),
        };
        let now = self.clock.now();
        let answer = self.world.lock().expect("no holder of the lock panics").call(now, &operation, &input);
        match answer {
            Ok(output) => answered(NAMESPACE, &operation, &output),
            Err(error) => self.refusal(&error),
        }
    }

    fn refusal(&self, error: &AwsError) -> Response<Bytes> {
        refused(NAMESPACE, error)
    }
}
