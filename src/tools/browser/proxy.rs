//! The way out for a page: a small HTTP proxy on this machine, one for each call, that connects through the guard.
//!
//! Checking the addresses that the browser announces (`Fetch.enable`) would not hold: the browser would look names up
//! itself, perhaps to another address the second time (DNS rebinding), and web sockets, workers and preloads go other
//! ways. Here the browser looks up no names and has no other way out; whatever it wants to reach, it asks for here by
//! name, and the connection goes to the very address that was looked up and checked.
//!
//! Encrypted connections and web sockets are tunnels (`CONNECT`, RFC 9110, section 9.3.6); plain requests are passed on,
//! one for each connection.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use url::{Host, Url};

use crate::run::ToolError;
use crate::tools::http::{Guard, HttpConfig, Lookup};
use crate::value::ErrorKind;

/// The longest head of a request, in bytes.
const LONGEST_HEAD: usize = 128 << 10;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How many hosts' failures are remembered.
const REMEMBERED: usize = 256;

/// A proxy, for as long as this lives; then its connections end.
pub(super) struct Proxy {
    address: SocketAddr,
    way_out: Arc<WayOut>,
    _server: JoinSet<()>,
}

struct WayOut {
    guard: Guard,
    lookup: Arc<dyn Lookup>,
    /// Why hosts (with their ports) were not reached.
    failures: Mutex<HashMap<String, ToolError>>,
}

impl Proxy {
    /// Listens on a free port of this machine.
    pub(super) async fn start(http: &HttpConfig) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let way_out = Arc::new(WayOut {
            guard: Guard::new(http.allow_private.clone()),
            lookup: Arc::clone(&http.lookup),
            failures: Mutex::default(),
        });
        let address = listener.local_addr()?;
        let mut server = JoinSet::new();
        server.spawn(serve(listener, Arc::clone(&way_out)));
        Ok(Self { address, way_out, _server: server })
    }

    /// Its address, as the browser wants it.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Why the host of an address was not reached, if it was not.
    pub(super) fn failure(&self, url: &str) -> Option<ToolError> {
        let key = key(&Url::parse(url).ok()?)?;
        self.way_out.failures.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
    }
}

/// `host:port`
fn key(url: &Url) -> Option<String> {
    Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
}

async fn serve(listener: TcpListener, way_out: Arc<WayOut>) {
    // Dropped with this task, and all connections with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                let way_out = Arc::clone(&way_out);
                connections.spawn(async move {
                    // What breaks off here, breaks off for the page.
                    let _ = way_out.pass(client).await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

impl WayOut {
    async fn pass(&self, mut client: TcpStream) -> std::io::Result<()> {
        let Some((head, rest)) = read_head(&mut client).await? else { return Ok(()) };
        let Some(request) = Request::parse(&head) else { return Ok(()) };
        let mut server = match self.connect(&request.url).await {
            Ok(server) => server,
            Err(error) => {
                self.remember(&request.url, error);
                // To a plain request nothing is answered, lest the page takes it for the site's answer.
                let answer: &[u8] =
                    if request.tunnel { b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n" } else { b"" };
                return client.write_all(answer).await;
            }
        };
        if request.tunnel {
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
            server.write_all(&rest).await?;
            copy_bidirectional(&mut client, &mut server).await?;
            return Ok(());
        }
        server.write_all(request.head.as_bytes()).await?;
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let body = async {
            let early = rest.get(..rest.len().min(request.length)).unwrap_or_default();
            to_server.write_all(early).await?;
            let mut late = (&mut from_client).take((request.length - early.len()) as u64);
            copy(&mut late, &mut to_server).await
        };
        // The server closes behind its answer, as it was asked to.
        let answer = copy(&mut from_server, &mut to_client);
        let (_, answered) = tokio::join!(body, answer);
        answered?;
        to_client.shutdown().await
    }

    /// Connects to an address that was checked.
    async fn connect(&self, url: &Url) -> Result<TcpStream, ToolError> {
        let denied =
            |refused: crate::tools::http::Refused| ToolError::new(ErrorKind::Denied, refused.to_string()).undelivered();
        self.guard.check_url(url).map_err(denied)?;
        let port = url.port_or_known_default().unwrap_or(80);
        let addresses = match url.host() {
            Some(Host::Ipv4(address)) => vec![IpAddr::V4(address)],
            Some(Host::Ipv6(address)) => vec![IpAddr::V6(address)],
            Some(Host::Domain(name)) => match self.lookup.lookup(name.to_owned()).await {
                Ok(addresses) if !addresses.is_empty() => {
                    self.guard.check_addresses(name, &addresses).map_err(denied)?;
                    addresses
                }
                _ => return Err(unreached(format!("the host `{name}` was not found"))),
            },
            None => return Err(unreached("the address has no host".to_owned())),
        };
        let mut why = "it did not answer in time".to_owned();
        for address in addresses {
            match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect((address, port))).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => why = error.to_string().split(" (os error").next().unwrap_or_default().to_lowercase(),
                Err(_) => {}
            }
        }
        Err(unreached(format!("`{}` could not be reached: {why}", url.host_str().unwrap_or_default())))
    }

    fn remember(&self, url: &Url, error: ToolError) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = key(url).filter(|_| failures.len() < REMEMBERED) {
            failures.insert(key, error);
        }
    }
}

fn unreached(why: String) -> ToolError {
    ToolError::new(ErrorKind::Network, why).undelivered()
}

/// The head of a request with its empty line, and what came behind it; none where no request came.
async fn read_head(client: &mut TcpStream) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut bytes = Vec::with_capacity(2048);
    while bytes.len() < LONGEST_HEAD {
        let seen = bytes.len().saturating_sub(3);
        if client.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
        let end = bytes.get(seen..).and_then(|new| new.windows(4).position(|four| four == b"\r\n\r\n"));
        if let Some(end) = end {
            let rest = bytes.split_off(seen + end + 4);
            return Ok(String::from_utf8(bytes).ok().map(|head| (head, rest)));
        }
    }
    Ok(None)
}

/// What the browser asks for.
struct Request {
    /// Whether a tunnel is asked for.
    tunnel: bool,
    /// Where to.
    url: Url,
    /// The head as the server gets it.
    head: String,
    /// The length of the body.
    length: usize,
}

impl Request {
    /// Reads a head: its target is `host:port` for tunnels, else a whole address (RFC 9112, section 3.2).
    fn parse(head: &str) -> Option<Self> {
        let mut lines = head.split("\r\n");
        let mut first = lines.next()?.split(' ');
        let (method, target) = (first.next()?, first.next()?);
        let tunnel = method == "CONNECT";
        let url = if tunnel { format!("https://{target}") } else { target.to_owned() };
        let url = Url::parse(&url).ok().filter(|url| tunnel || url.scheme() == "http")?;
        // As the browser wrote it.
        let path = target.split_once("://").and_then(|(_, rest)| rest.get(rest.find('/')?..)).unwrap_or("/");
        let mut passed = format!("{method} {path} HTTP/1.1\r\n");
        let mut length = 0;
        for line in lines.filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':')?;
            match name.to_ascii_lowercase().as_str() {
                // Between the browser and this proxy.
                "connection" | "keep-alive" | "proxy-connection" | "proxy-authorization" => continue,
                // Browsers send chunks over HTTP/2 only.
                "transfer-encoding" => return None,
                "content-length" => length = value.trim().parse().ok()?,
                _ => {}
            }
            passed.push_str(line);
            passed.push_str("\r\n");
        }
        passed.push_str("Connection: close\r\n\r\n");
        Some(Self { tunnel, url, head: passed, length })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::http::AllowPrivate;

    #[test]
    fn heads_are_passed_on_without_what_is_between_browser_and_proxy() {
        let head = "POST http://a.example:8080/x?y=1 HTTP/1.1\r\nHost: a.example:8080\r\nProxy-Connection: \
                    keep-alive\r\nContent-Length: 3\r\n\r\n";
        let request = Request::parse(head).expect("a request");
        assert!(!request.tunnel);
        assert_eq!(key(&request.url).as_deref(), Some("a.example:8080"));
        assert_eq!(request.length, 3);
        assert_eq!(
            request.head,
            "POST /x?y=1 HTTP/1.1\r\nHost: a.example:8080\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"
        );
        let tunnel = Request::parse("CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n").expect("a tunnel");
        assert!(tunnel.tunnel);
        assert_eq!(key(&tunnel.url).as_deref(), Some("[::1]:443"));
        for odd in ["GET /x HTTP/1.1\r\n\r\n", "GET ftp://a.example/ HTTP/1.1\r\n\r\n", "GET\r\n\r\n", "\r\n\r\n"] {
            assert!(Request::parse(odd).is_none(), "{odd}");
        }
    }

    async fn open() -> (Proxy, SocketAddr, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let allow_private = AllowPrivate::Only(vec!["127.0.0.1".parse().expect("an address")]);
        let http = HttpConfig { allow_private, ..HttpConfig::default() };
        (Proxy::start(&http).await.expect("a proxy"), address, listener)
    }

    async fn ask(proxy: &Proxy, request: String) -> (TcpStream, String) {
        let mut client = TcpStream::connect(proxy.address).await.expect("connected");
        client.write_all(request.as_bytes()).await.expect("sent");
        let mut head = [0; 256];
        let read = client.read(&mut head).await.expect("read");
        (client, String::from_utf8_lossy(&head[..read]).into_owned())
    }

    #[tokio::test]
    async fn tunnels_carry_bytes_both_ways() {
        let (proxy, address, listener) = open().await;
        let server = async {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let (mut from, mut to) = stream.split();
            copy(&mut from, &mut to).await.expect("an echo");
        };
        let client = async {
            let (mut client, head) =
                ask(&proxy, format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n\r\n")).await;
            assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
            client.write_all(b"\x16\x03\x01").await.expect("sent");
            client.shutdown().await.expect("closed");
            let mut echo = Vec::new();
            client.read_to_end(&mut echo).await.expect("read");
            assert_eq!(echo, b"\x16\x03\x01");
        };
        tokio::join!(server, client);
    }

    #[tokio::test]
    async fn a_request_is_passed_on_and_no_second_one_behind_it() {
        let (proxy, address, listener) = open().await;
        let server = async {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut seen = Vec::new();
            while !seen.ends_with(b"\r\n\r\nabc") {
                assert!(stream.read_buf(&mut seen).await.expect("read") > 0, "{}", String::from_utf8_lossy(&seen));
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await.expect("sent");
            // Whatever the browser sends behind its request stays with the proxy.
            let waited = tokio::time::timeout(Duration::from_millis(100), stream.read_buf(&mut seen)).await;
            assert!(!matches!(waited, Ok(Ok(1..))), "{}", String::from_utf8_lossy(&seen));
        };
        let request = format!(
            "POST http://{address}/ HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET http://other/ HTTP/1.1\r\n\r\n"
        );
        let ((), (_, answer)) = tokio::join!(server, ask(&proxy, request));
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    }

    #[tokio::test]
    async fn what_may_not_be_reached_is_refused_and_remembered() {
        let (proxy, ..) = open().await;
        let (_, tunnel) = ask(&proxy, "CONNECT 127.0.0.2:443 HTTP/1.1\r\n\r\n".to_owned()).await;
        assert!(tunnel.starts_with("HTTP/1.1 502 "), "{tunnel}");
        let (_, plain) = ask(&proxy, "GET http://[::ffff:169.254.169.254]/latest HTTP/1.1\r\n\r\n".to_owned()).await;
        assert_eq!(plain, "");
        for url in ["https://127.0.0.2/x", "http://[::ffff:169.254.169.254]/"] {
            assert_eq!(proxy.failure(url).map(|error| error.kind), Some(ErrorKind::Denied), "{url}");
        }
        assert!(proxy.failure("https://127.0.0.3/").is_none());
    }
}
