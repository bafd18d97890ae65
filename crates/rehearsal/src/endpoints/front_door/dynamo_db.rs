//! An embedded DynamoDB.

use crate::endpoints::aws_service::AwsService;
use bytes::Bytes;
use crossfade_world::aws_error::AwsError;
use dynoxide::Database;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// An embedded in-memory DynamoDB. It has its own listener, to which the front door passes calls.
pub struct DynamoDb {
    address: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
    serving: JoinHandle<()>,
}

impl DynamoDb {
    /// Starts an empty one.
    pub async fn start() -> std::io::Result<Self> {
        let database = Database::memory().map_err(|error| std::io::Error::other(error.to_string()))?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let serving = tokio::spawn(dynoxide::server::serve_on(listener, database));
        Ok(Self { address, client: Client::builder(TokioExecutor::new()).build_http(), serving })
    }
}

impl Drop for DynamoDb {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

#[async_trait::async_trait]
impl AwsService for DynamoDb {
    async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let Ok(uri) = format!("http://{}{path}", self.address).parse() else {
            return self.refusal(&AwsError::validation(format!("{path} is not a valid path")));
        };
        parts.uri = uri;
        // The body was read and decompressed, so the headers about its transfer no longer apply.
        for header in ["host", "content-encoding", "content-length", "transfer-encoding"] {
            parts.headers.remove(header);
        }
        match self.client.request(Request::from_parts(parts, Full::new(body))).await {
            Ok(response) => {
                let (mut parts, body) = response.into_parts();
                parts.headers.remove("transfer-encoding");
                match body.collect().await {
                    Ok(body) => Response::from_parts(parts, body.to_bytes()),
                    Err(_) => self.refusal(&AwsError::internal()),
                }
            }
            Err(_) => self.refusal(&AwsError::internal()),
        }
    }
}
