//! Requests that come to an end, and secrets that stay where they belong.
//!
//! A token goes to the address it is for (scheme, host and port) and is left out of every request that a
//! redirection leads elsewhere. Redirections, time, sizes and tries are bounded; whatever waits can be
//! left within a moment.

use std::io::Read;
use std::time::{Duration, Instant};

use ureq::http::header::{HeaderMap, LOCATION, RETRY_AFTER};
use ureq::http::{Response, Uri};
use ureq::{Agent, Body};

use super::error::FetchError;
use crate::aside::{self, Left};
use crate::model::progress::Progress;
use crate::token::printable;

/// What a server may take. [`HttpLimits::default`] is right outside tests.
#[derive(Clone, Copy, Debug)]
pub struct HttpLimits {
    /// To connect.
    pub connect: Duration,
    /// For a whole answer about a model, and until a file begins to arrive.
    pub answer: Duration,
    /// Bytes of an answer about a model.
    pub answer_bytes: u64,
    /// In this time some bytes of a file must arrive ...
    pub pace: Duration,
    /// ... at least so many.
    pub pace_bytes: u64,
    /// Redirections that are followed.
    pub redirections: usize,
    /// Failures in a row, between which fewer bytes than `worth` arrived.
    pub tries: u32,
    /// Bytes that make up for earlier failures.
    pub worth: u64,
    /// Before the second try; doubled for each further one.
    pub pause: Duration,
    /// Longer than this nobody waits because a server asks for it.
    pub longest_pause: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        HttpLimits {
            connect: Duration::from_secs(20),
            answer: Duration::from_secs(60),
            answer_bytes: 16 << 20,
            pace: Duration::from_secs(60),
            pace_bytes: 64 << 10,
            redirections: 10,
            tries: 5,
            worth: 1 << 20,
            pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(60),
        }
    }
}

/// Why a request failed.
#[derive(Debug)]
pub(super) enum HttpTrouble {
    /// Trying again is of no use.
    Lasting(String),
    /// The server does not answer with a file but with this.
    Status(u16),
    /// It may be better in a while, which the server may name.
    Passing(String, Option<Duration>),
    /// The disk, not the server.
    Disk(std::io::Error),
}

impl From<std::io::Error> for HttpTrouble {
    fn from(error: std::io::Error) -> Self {
        HttpTrouble::Disk(error)
    }
}

/// Asks one server, and those it redirects to.
#[derive(Clone)]
pub(super) struct HttpClient {
    agent: Agent,
    pub(super) limits: HttpLimits,
    /// Whom the token is for.
    home: Option<HttpOrigin>,
    token: Option<String>,
}

/// Scheme, host and port.
type HttpOrigin = (String, String, u16);

/// The last of a chain of answers.
pub(super) struct HttpAnswer {
    pub(super) response: Response<Body>,
    /// Headers of the last answer that came from the server that was asked.
    pub(super) own: HeaderMap,
}

impl HttpClient {
    /// `home` is the address that the token is for.
    pub(super) fn new(limits: HttpLimits, home: &str, token: Option<String>) -> HttpClient {
        let agent = Agent::config_builder()
            .timeout_connect(Some(limits.connect))
            .timeout_recv_response(Some(limits.answer))
            .timeout_per_read(Some(limits.pace))
            .max_redirects(0)
            .http_status_as_error(false)
            .build()
            .into();
        HttpClient { agent, limits, home: home.parse().ok().as_ref().and_then(origin), token }
    }

    /// The answer to a GET, after redirections. Waits: call it aside.
    pub(super) fn get(&self, url: &str, range: Option<&str>) -> Result<HttpAnswer, HttpTrouble> {
        let mut address = parse(url)?;
        let mut own = HeaderMap::new();
        for _ in 0..=self.limits.redirections {
            let at_home = origin(&address).is_some() && origin(&address) == self.home;
            let mut request = self.agent.get(&address);
            if let Some(token) = self.token.as_ref().filter(|_| at_home) {
                request = request.header("Authorization", format!("Bearer {token}"));
            }
            if let Some(range) = range {
                request = request.header("Range", range);
            }
            let response = request.call().map_err(|error| connection(&error))?;
            if at_home {
                own = response.headers().clone();
            }
            let status = response.status().as_u16();
            let location = response.headers().get(LOCATION).filter(|_| (300..400).contains(&status));
            match location {
                Some(location) => {
                    let location = String::from_utf8_lossy(location.as_bytes()).into_owned();
                    address = follow(&address, &location)?;
                }
                None if (200..300).contains(&status) => return Ok(HttpAnswer { response, own }),
                None => return Err(refusal(status, response.headers())),
            }
        }
        Err(HttpTrouble::Lasting(format!("it redirects more than {} times", self.limits.redirections)))
    }

    /// The text of an answer of moderate size.
    pub(super) fn text(&self, url: &str) -> Result<String, HttpTrouble> {
        let deadline = Instant::now() + self.limits.answer;
        let mut body = self.get(url, None)?.response.into_body().into_reader();
        let (mut text, mut buffer) = (Vec::new(), vec![0; 1 << 14]);
        loop {
            let read = body.read(&mut buffer).map_err(|error| broke(&error))?;
            if read == 0 {
                break;
            }
            text.extend_from_slice(&buffer[..read]);
            if text.len() as u64 > self.limits.answer_bytes {
                return Err(HttpTrouble::Lasting("its answer does not end".to_owned()));
            }
            if Instant::now() > deadline {
                return Err(HttpTrouble::Passing("its answer takes too long".to_owned(), None));
            }
        }
        String::from_utf8(text).map_err(|_| HttpTrouble::Lasting("its answer is no text".to_owned()))
    }

    /// Does work with this client until it succeeds, for as often as there is hope. The person can leave.
    pub(super) fn patiently<T: Send + 'static>(
        &self,
        progress: &dyn Progress,
        work: impl Fn(&HttpClient) -> Result<T, HttpTrouble> + Clone + Send + 'static,
    ) -> Result<T, Unanswered> {
        let mut failures = 0;
        loop {
            let (client, once) = (self.clone(), work.clone());
            let done = aside::run("request", &|| progress.cancelled(), move || once(&client));
            let trouble = match done {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(trouble)) => trouble,
                Err(Left::Interrupted) => return Err(Unanswered::Because(FetchError::Interrupted)),
                Err(Left::Died(why)) => HttpTrouble::Lasting(why),
            };
            failures += 1;
            self.pause(failures, trouble, progress)?;
        }
    }

    /// Waits before another try, or says why there is none.
    pub(super) fn pause(
        &self,
        failures: u32,
        trouble: HttpTrouble,
        progress: &dyn Progress,
    ) -> Result<(), Unanswered> {
        let (reason, asked) = match trouble {
            HttpTrouble::Passing(reason, asked) => (reason, asked),
            HttpTrouble::Status(status) => return Err(Unanswered::Status(status)),
            HttpTrouble::Lasting(reason) => return Err(FetchError::Failed(reason).into()),
            HttpTrouble::Disk(error) => return Err(FetchError::from(error).into()),
        };
        if let Some(asked) = asked.filter(|asked| *asked > self.limits.longest_pause) {
            let text = format!("{reason} and asks to come back in {}", roughly(asked));
            return Err(FetchError::Failed(text).into());
        }
        if failures >= self.limits.tries {
            return Err(FetchError::Failed(format!("{reason}, {failures} times")).into());
        }
        let own = self.limits.pause * 2_u32.saturating_pow(failures - 1);
        let until = Instant::now() + asked.unwrap_or(own).min(self.limits.longest_pause);
        while Instant::now() < until {
            if progress.cancelled() {
                return Err(FetchError::Interrupted.into());
            }
            std::thread::sleep(
                Duration::from_millis(20).min(until.saturating_duration_since(Instant::now())),
            );
        }
        Ok(())
    }
}

/// Why there is no answer for good: a status, which the caller can put in words, or something else.
#[derive(Debug)]
pub(super) enum Unanswered {
    Status(u16),
    Because(FetchError),
}

impl From<FetchError> for Unanswered {
    fn from(error: FetchError) -> Self {
        Unanswered::Because(error)
    }
}

fn parse(url: &str) -> Result<Uri, HttpTrouble> {
    url.parse().map_err(|_| HttpTrouble::Lasting(format!("{} is no web address", short(url))))
}

fn origin(address: &Uri) -> Option<HttpOrigin> {
    let scheme = address.scheme_str()?.to_ascii_lowercase();
    let port = match (address.port_u16(), scheme.as_str()) {
        (Some(port), _) => port,
        (None, "https") => 443,
        (None, "http") => 80,
        _ => return None,
    };
    Some((scheme, address.host()?.to_ascii_lowercase(), port))
}

/// The address that a redirection leads to. Never from a connection that nobody can listen to to one that
/// anybody can.
fn follow(from: &Uri, location: &str) -> Result<Uri, HttpTrouble> {
    let scheme = from.scheme_str().unwrap_or("https");
    let authority = from.authority().map_or("", |authority| authority.as_str());
    let location = location.split('#').next().unwrap_or_default();
    let absolute = match location {
        _ if location.starts_with("//") => format!("{scheme}:{location}"),
        _ if location.starts_with('/') => format!("{scheme}://{authority}{location}"),
        _ if location.contains("://") => location.to_owned(),
        _ => {
            let folder = from.path().rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{scheme}://{authority}{folder}/{location}")
        }
    };
    let to = parse(&absolute)?;
    match (scheme, to.scheme_str()) {
        ("https", Some("http")) => Err(HttpTrouble::Lasting(
            "it redirects from https to http, where anybody could listen".to_owned(),
        )),
        (_, Some("http" | "https")) => Ok(to),
        _ => {
            Err(HttpTrouble::Lasting(format!("it redirects to {}, which is no web address", short(location))))
        }
    }
}

fn refusal(status: u16, headers: &HeaderMap) -> HttpTrouble {
    match status {
        408 | 429 | 500 | 502..=504 => {
            let after = headers.get(RETRY_AFTER).and_then(|after| after.to_str().ok()).and_then(seconds);
            HttpTrouble::Passing(format!("the server answers {status}"), after)
        }
        _ => HttpTrouble::Status(status),
    }
}

/// A number of seconds, or a date.
fn seconds(after: &str) -> Option<Duration> {
    let after = after.trim();
    if !after.is_empty() && after.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(after.parse().unwrap_or(u64::MAX / 2)));
    }
    let then = jiff::fmt::rfc2822::parse(after).ok()?.timestamp();
    let wait = then.as_second().saturating_sub(jiff::Timestamp::now().as_second());
    Some(Duration::from_secs(wait.try_into().unwrap_or(0)))
}

fn roughly(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} seconds"),
        seconds @ 120..7200 => format!("{} minutes", seconds / 60),
        seconds @ 7200..172_800 => format!("{} hours", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// A connection that breaks while something arrives.
pub(super) fn broke(error: &std::io::Error) -> HttpTrouble {
    HttpTrouble::Passing(format!("the connection broke ({})", short(&error.to_string())), None)
}

fn connection(error: &ureq::Error) -> HttpTrouble {
    match error {
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => {
            HttpTrouble::Lasting("no connection".to_owned())
        }
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            HttpTrouble::Lasting("no connection".to_owned())
        }
        ureq::Error::Io(error) => broke(error),
        ureq::Error::Timeout(_) => HttpTrouble::Passing(format!("no connection ({error})"), None),
        other => HttpTrouble::Lasting(short(&other.to_string())),
    }
}

/// Foreign text, in a few words.
fn short(text: &str) -> String {
    printable(text).chars().take(120).collect()
}
