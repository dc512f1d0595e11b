//! An HTTP client that keeps a journal of what it has sent and what came back.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use ureq::http;

/// All requests by their ids.
pub(crate) type Journal = HashMap<String, Request>;

pub(crate) struct Request {
    pub(crate) route: Route,
    /// The body of the answer; none when the connection broke.
    pub(crate) answer: Option<String>,
}

impl Request {
    /// The pid that the answers to `/` and `/slow` end with.
    pub(crate) fn process(&self) -> Option<i32> {
        self.answer.as_ref()?.trim_end().rsplit_once(", pid ")?.1.parse().ok()
    }
}

/// A request that can be sent, and the status it is answered with.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    query: String,
    pub(crate) status: u16,
}

impl Route {
    pub(crate) const PROCESS: Self = Self::new("GET", "/", 200);
    pub(crate) const ALL: [Self; 6] = [
        Self::PROCESS,
        Self::new("GET", "/hello/you", 200),
        Self::new("HEAD", "/hello/you", 200),
        Self::new("GET", "/hello/\"status=500", 200),
        Self::new("GET", "/nowhere", 404),
        Self::new("DELETE", "/slow", 405),
    ];

    const fn new(method: &'static str, path: &'static str, status: u16) -> Self {
        Self { method, path, query: String::new(), status }
    }

    pub(crate) fn slow(ms: u64) -> Self {
        Self { query: format!("?ms={ms}"), ..Self::new("GET", "/slow", 200) }
    }
}

/// One keep-alive connection at a time.
pub(crate) struct Client<'a> {
    agent: ureq::Agent,
    address: String,
    /// Counts the answers of all clients.
    answers: &'a AtomicUsize,
    pub(crate) journal: Journal,
}

impl<'a> Client<'a> {
    pub(crate) fn new(address: &str, answers: &'a AtomicUsize) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_idle_connections_per_host(1)
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(120)))
            .build();
        Self { agent: agent.into(), address: address.to_owned(), answers, journal: Journal::new() }
    }

    /// Sends a request until it is answered, each time as a new one.
    pub(crate) fn answer(&mut self, route: &Route) {
        for _ in 0..100 {
            let Err(error) = self.send(route) else { return };
            // What a connection of a process that has ended may say. A refused or a late one is a fault of the server.
            use ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
            let ureq::Error::Io(broken) = &error else { panic!("{error}") };
            assert!(matches!(broken.kind(), BrokenPipe | ConnectionReset | UnexpectedEof), "{error}");
        }
        panic!("the connection broke a hundred times");
    }

    /// Sends a request with an id of its own, once.
    pub(crate) fn send(&mut self, route: &Route) -> Result<(), ureq::Error> {
        static IDS: AtomicUsize = AtomicUsize::new(0);
        let id = format!("request-{}", IDS.fetch_add(1, Relaxed));
        let answer = self.try_send(&id, route);
        let (answer, outcome) = match answer {
            Ok(body) => (Some(body), Ok(())),
            Err(error) => (None, Err(error)),
        };
        self.journal.insert(id, Request { route: route.clone(), answer });
        outcome
    }

    fn try_send(&self, id: &str, route: &Route) -> Result<String, ureq::Error> {
        let request = http::Request::builder()
            .method(route.method)
            .uri(format!("{}{}{}", self.address, route.path, route.query))
            .header("x-request-id", id)
            .body(())?;
        let mut response = self.agent.run(request)?;
        let body = response.body_mut().read_to_string()?;
        assert_eq!(response.status(), route.status, "{} {}", route.method, route.path);
        assert_eq!(response.headers()["x-request-id"], id);
        self.answers.fetch_add(1, Relaxed);
        Ok(body)
    }
}
