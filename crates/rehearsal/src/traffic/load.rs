//! The load: open-loop arrivals, sent over connections or drawn, and a count of every response that a client
//! received.

mod arrivals;
mod calls;
mod counts;
mod drawn;

pub use calls::{CallCounts, CallSettings, CallWay, Calls, Wire};
pub use counts::{Answer, Counts, Origin};
pub use drawn::{DrawnEntry, DrawnLoad, DrawnSettings};

use crate::clock::{Turn, WorldClock};
use crate::traffic::cluster::CALL_HEADER;
use crate::traffic::data_plane::GROUP_HEADER;
use arrivals::Arrivals;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Real time after which a request counts as lost: what hangs is ended at last, however busy the machine is.
const HANGS_AFTER: Duration = Duration::from_mins(5);

/// One way into a service: a listener, and a request that matches one of its routes.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The listener of the data plane.
    pub address: SocketAddr,
    /// The request's `Host`.
    pub host: String,
    /// The request's path.
    pub path: String,
    /// The request's cookies, such as a session with an identity provider; may be empty.
    pub cookie: String,
}

/// The load of a service.
#[derive(Debug, Clone)]
pub struct LoadSettings {
    /// Average arrivals in a world minute, spread evenly over the entries.
    pub requests_per_minute: f64,
    /// World time, which pauses while a request is under way.
    pub clock: WorldClock,
    /// At least one.
    pub entries: Vec<Entry>,
    /// The ARNs of the service's new target groups, as they are created.
    pub new_groups: Arc<RwLock<HashSet<String>>>,
    /// Whether a fault of the service is on, so that a lost connection is not the tool's fault.
    pub fault_is_on: Arc<dyn FaultFlag>,
    /// The seed of the arrival times.
    pub seed: u64,
}

/// Says whether a fault is on that explains a lost response.
pub trait FaultFlag: Send + Sync + std::fmt::Debug {
    /// Returns true while it is on.
    fn is_on(&self) -> bool;
}

/// Running load. It stops at once when it is dropped.
pub struct Load {
    arrivals: JoinHandle<()>,
}

type HttpClient = Client<HttpConnector, Empty<Bytes>>;

impl Load {
    /// Starts sending and adds the results to `counts`.
    pub fn start(settings: LoadSettings, counts: &Arc<Mutex<Counts>>) -> Self {
        let mut arrivals = Arrivals::new(settings.seed, settings.requests_per_minute, settings.clock.now());
        let first = settings.clock.at(arrivals.next());
        Self { arrivals: tokio::spawn(arrive(settings, counts.clone(), arrivals, first)) }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.arrivals.abort();
    }
}

/// Open loop: the arrival of a request does not depend on earlier responses.
async fn arrive(settings: LoadSettings, counts: Arc<Mutex<Counts>>, mut arrivals: Arrivals, first: Turn) {
    let client = http_client();
    let mut entry = 0;
    let mut turn = first;
    loop {
        let _work = turn.await;
        entry = (entry + 1) % settings.entries.len();
        send(&client, &settings, entry, &counts).await;
        turn = settings.clock.at(arrivals.next());
    }
}

async fn send(client: &HttpClient, settings: &LoadSettings, entry: usize, counts: &Mutex<Counts>) {
    let fault_before = settings.fault_is_on.is_on();
    let answer = match ask(client, &settings.entries[entry], Asked::FromOutside).await {
        Some((status, group)) => {
            let from_new = is_from_new(group.as_deref(), &settings.new_groups);
            Answer::Received { status, from_target: group.is_some(), from_new }
        }
        None => Answer::Lost,
    };
    let excused = fault_before || settings.fault_is_on.is_on();
    counts.lock().expect("no holder of the lock panics").add(Origin::Sent, answer, excused);
}

/// Makes one request, outside all counts; its status and body.
pub(crate) async fn look(entry: &Entry) -> Option<(u16, String)> {
    let request = request_for(entry).header(CALL_HEADER, "1").body(Empty::<Bytes>::new());
    let request = request.expect("entries are made of valid hosts and paths");
    let answer = tokio::time::timeout(HANGS_AFTER, async {
        let response = http_client().request(request).await.ok()?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.ok()?.to_bytes();
        Some((status, String::from_utf8_lossy(&body).into_owned()))
    });
    answer.await.ok().flatten()
}

fn request_for(entry: &Entry) -> http::request::Builder {
    let request = Request::builder()
        .uri(format!("http://{}{}", entry.address, entry.path))
        .header("host", &entry.host)
        .header("user-agent", "crossfade-rehearsal");
    if entry.cookie.is_empty() { request } else { request.header("cookie", &entry.cookie) }
}

/// Who makes a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    FromOutside,
    ByAService,
}

fn http_client() -> HttpClient {
    Client::builder(TokioExecutor::new()).build_http()
}

/// Makes one request; its status, and the target group that answered, if the answer names one.
async fn ask(client: &HttpClient, entry: &Entry, asked: Asked) -> Option<(u16, Option<String>)> {
    let mut request = request_for(entry);
    if asked == Asked::ByAService {
        request = request.header(CALL_HEADER, "1");
    }
    let request = request.body(Empty::new()).expect("entries are made of valid hosts and paths");
    let answer = tokio::time::timeout(HANGS_AFTER, async {
        let response = client.request(request).await.ok()?;
        let status = response.status().as_u16();
        let group = response.headers().get(GROUP_HEADER).and_then(|group| group.to_str().ok()).map(str::to_owned);
        response.into_body().collect().await.ok()?;
        Some((status, group))
    });
    answer.await.ok().flatten()
}

fn is_from_new(group: Option<&str>, new_groups: &RwLock<HashSet<String>>) -> bool {
    group.is_some_and(|group| new_groups.read().expect("no holder of the lock panics").contains(group))
}
