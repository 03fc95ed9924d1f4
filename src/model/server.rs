//! A model behind a wire, as people name it: `http://HOST:PORT[/v1][#MODEL]`, and the key that opens it.
//!
//! Parsing only; who asks the server is the engine. A key is shown nowhere.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use ureq::http::Uri;
use ureq::tls::{PemItem, parse_pem};

use super::error::ModelError;
use super::gguf::shown;
use super::spec::SpecError;
use crate::bounded::{self, Bound};

/// The variable that holds a key.
pub const KEY_VARIABLE: &str = "TOKENSCOPE_API_KEY";
/// A file with a key is no larger.
const LARGEST: Bound = Bound(64 << 10);
/// A file with certificates is no larger: all that a system trusts are a quarter of it.
const LARGEST_BUNDLE: Bound = Bound(1 << 20);

/// A secret that a server wants. Nothing prints it.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// The key that a file or the environment holds; the file comes first.
    ///
    /// # Errors
    /// One line about a key that can't be sent, which does not show it.
    pub fn find(file: Option<&Path>) -> Result<Option<ApiKey>, ModelError> {
        let wrong = |place: &str, what: &str| ModelError::Key(format!("{place}: {what}"));
        if let Some(path) = file {
            let place = format!("--api-key-file {}", path.display());
            let text = bounded::text(path, LARGEST).map_err(|error| wrong(&place, &error.to_string()))?;
            let mut lines = text.lines().map(str::trim);
            let key = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
            let key = key.ok_or_else(|| wrong(&place, "holds no key"))?;
            return ApiKey::new(key).map(Some).map_err(|what| wrong(&place, what));
        }
        match std::env::var(KEY_VARIABLE) {
            Ok(key) if !key.trim().is_empty() => {
                ApiKey::new(key.trim()).map(Some).map_err(|what| wrong(KEY_VARIABLE, what))
            }
            Ok(_) | Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => Err(wrong(KEY_VARIABLE, "is no text")),
        }
    }

    /// A key, if it can stand in a header.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(key: &str) -> Result<ApiKey, &'static str> {
        match key.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(ApiKey(key.to_owned())),
            false => Err("a key is letters, digits and signs of ASCII, without spaces"),
        }
    }

    /// The secret itself, for the header it goes into.
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// Where a server is, and which of its models is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    /// `http://host:port/path`, without `/v1` and without a slash at the end.
    base: String,
    /// After `#`.
    model: Option<String>,
}

impl ServerAddress {
    /// Whether a text is meant as an address.
    pub fn is_meant(written: &str) -> bool {
        let scheme = written.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        matches!(scheme.as_deref(), Some("http" | "https"))
    }

    /// Reads an address.
    ///
    /// # Errors
    /// What is wrong with it; a password in it is not shown.
    pub fn parse(written: &str) -> Result<ServerAddress, SpecError> {
        let (address, model) = match written.split_once('#') {
            Some((address, model)) => (address, Some(model)),
            None => (written, None),
        };
        if address.contains('@') {
            let what = format!(
                "an address holds no user and no password: put the key into {KEY_VARIABLE} or --api-key-file"
            );
            return Err(SpecError::new(what));
        }
        let expected = |what: &str| {
            SpecError::new(format!(
                "{}: {what}; an address is http://HOST:PORT, perhaps with /v1 and #MODEL",
                shown(written.as_bytes())
            ))
        };
        let uri: Uri = address.parse().map_err(|_| expected("no address"))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(expected("no address"));
        };
        if uri.query().is_some() {
            return Err(expected("it has a question mark"));
        }
        let host = authority.host();
        let port = &authority.as_str()[host.len()..];
        let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
        match port.strip_prefix(':') {
            _ if host.is_empty() => return Err(expected("the host is missing")),
            Some(port) if !is_port(port) => return Err(expected("a port is a number from 1 to 65535")),
            _ => {}
        }
        let path = uri.path().trim_end_matches('/');
        let path = path.strip_suffix("/v1").unwrap_or(path).trim_end_matches('/');
        let scheme = scheme.to_ascii_lowercase();
        let model = model.filter(|model| !model.is_empty()).map(str::to_owned);
        Ok(ServerAddress { base: format!("{scheme}://{authority}{path}"), model })
    }

    /// Where its paths begin.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The model that is named.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// Host and port.
    pub fn host(&self) -> &str {
        let rest = self.base.split_once("://").map_or(self.base.as_str(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest)
    }

    /// The host alone.
    pub fn host_name(&self) -> &str {
        let host = self.host();
        match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        }
    }

    /// The port, which the scheme decides where none is named.
    pub fn port(&self) -> u16 {
        let named =
            self.host()[self.host_name().len()..].strip_prefix(':').and_then(|port| port.parse().ok());
        named.unwrap_or(if self.is_secure() { 443 } else { 80 })
    }

    /// Whether it is spoken to through TLS.
    pub fn is_secure(&self) -> bool {
        self.base.starts_with("https:")
    }

    /// In the place of a file's path.
    pub fn as_path(&self) -> PathBuf {
        PathBuf::from(&self.base)
    }
}

/// A server with what opens it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAccess {
    /// Where it is.
    pub address: ServerAddress,
    /// What it wants to be shown.
    pub key: Option<ApiKey>,
    /// The certificates (PEM) that are trusted in the place of everybody's.
    pub authorities: Option<Arc<[u8]>>,
}

impl ServerAccess {
    /// One that wants no key.
    pub fn open(address: ServerAddress) -> ServerAccess {
        ServerAccess { address, key: None, authorities: None }
    }
}

/// The certificates in a file.
///
/// # Errors
/// One line about a file that can't be read, or has none.
pub fn authorities(file: &Path) -> Result<Arc<[u8]>, ModelError> {
    let place = format!("--ca-file {}", file.display());
    let wrong = |what: &str| ModelError::Key(format!("{place}: {what}"));
    let text = bounded::text(file, LARGEST_BUNDLE).map_err(|error| wrong(&error.to_string()))?;
    let has_one = parse_pem(text.as_bytes()).any(|item| matches!(item, Ok(PemItem::Certificate(_))));
    match has_one {
        true => Ok(text.into_bytes().into()),
        false => Err(wrong("holds no certificate: one begins with -----BEGIN CERTIFICATE-----")),
    }
}

/// How long a server may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// To be connected to.
    pub connect: Duration,
    /// Until its answer begins: a long prompt has to be read before the first token.
    pub answer: Duration,
    /// Between two parts of an answer.
    pub idle: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        let [connect, answer, idle] = [10, 120, 60].map(Duration::from_secs);
        Patience { connect, answer, idle }
    }
}

impl FromStr for Patience {
    type Err = String;

    fn from_str(text: &str) -> Result<Patience, String> {
        let seconds = |part: &str| {
            let seconds = part.trim().parse::<f64>().ok().filter(|seconds| (0.1..=86400.0).contains(seconds));
            seconds.map(Duration::from_secs_f64)
        };
        let parts: Option<Vec<Duration>> = text.split(',').map(seconds).collect();
        match parts.as_deref() {
            Some(&[connect, answer, idle]) => Ok(Patience { connect, answer, idle }),
            _ => Err(format!(
                "{}: write seconds to connect, to begin an answer and between two parts of it, such as 10,120,60",
                shown(text.as_bytes())
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(written: &str) -> (String, Option<String>) {
        let address = ServerAddress::parse(written).unwrap();
        (address.base().to_owned(), address.model().map(str::to_owned))
    }

    #[test]
    fn an_address_is_read_with_and_without_v1_and_a_model() {
        let bare = |base: &str| (base.to_owned(), None);
        assert_eq!(parsed("http://127.0.0.1:8080"), bare("http://127.0.0.1:8080"));
        assert_eq!(parsed("HTTP://host:1/v1/"), bare("http://host:1"));
        assert_eq!(parsed("https://host/api/v1"), bare("https://host/api"));
        assert_eq!(parsed("http://[::1]:8000/v1#org/model:7b").1.as_deref(), Some("org/model:7b"));
        assert_eq!(parsed("http://host:1/#").1, None);
    }

    #[test]
    fn what_is_no_address_is_told_in_one_line_and_a_password_is_not_shown() {
        for wrong in
            ["http://", "http://:80", "http://host:0", "http://host:99999", "http://host:", "http://a b"]
        {
            let line = ServerAddress::parse(wrong).unwrap_err().to_string();
            assert!(
                line.contains("an address is http://HOST:PORT") && !line.contains('\n'),
                "{wrong}: {line}"
            );
        }
        let line = ServerAddress::parse("http://me:secret@host").unwrap_err().to_string();
        assert!(line.contains(KEY_VARIABLE) && !line.contains("secret"), "{line}");
        assert!(ServerAddress::is_meant("HTTPS://x") && !ServerAddress::is_meant("ftp://x"));
    }

    #[test]
    fn a_host_and_its_port_are_told_apart() {
        let parts = |written: &str| {
            let address = ServerAddress::parse(written).unwrap();
            (address.host_name().to_string(), address.port(), address.is_secure())
        };
        assert_eq!(parts("http://gpu:8000/v1"), ("gpu".to_string(), 8000, false));
        assert_eq!(parts("HTTPS://gpu.lab/x"), ("gpu.lab".to_string(), 443, true));
        assert_eq!(parts("http://[::1]:80#m"), ("[::1]".to_string(), 80, false));
    }

    #[test]
    fn patience_is_three_numbers_of_seconds() {
        let patience: Patience = "5, 0.5,60".parse().unwrap();
        assert_eq!(patience.answer, Duration::from_millis(500));
        assert_eq!("10,120,60".parse(), Ok(Patience::default()));
        for wrong in ["", "5", "1,2", "1,2,3,4", "a,b,c", "0,1,1", "-1,1,1", "1,nan,1", "1,1,1e9"] {
            assert!(wrong.parse::<Patience>().unwrap_err().contains("10,120,60"), "{wrong}");
        }
    }

    #[test]
    fn a_file_of_certificates_has_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, "hello").unwrap();
        let line = authorities(&file).unwrap_err().to_string();
        assert!(line.contains("--ca-file") && line.contains("BEGIN CERTIFICATE"), "{line}");
    }

    #[test]
    fn a_key_is_never_printed_and_one_that_no_header_can_hold_is_refused() {
        let key = ApiKey::new("sk-0123456789").unwrap();
        assert_eq!(format!("{key:?}"), "ApiKey(…)");
        assert!(ApiKey::new("two words").is_err() && ApiKey::new("a\nb").is_err());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, "# for the cluster\n\n sk-42 \n").unwrap();
        assert_eq!(ApiKey::find(Some(&file)).unwrap().unwrap().secret(), "sk-42");
        std::fs::write(&file, "two words\n").unwrap();
        let line = ApiKey::find(Some(&file)).unwrap_err().to_string();
        assert!(line.contains("--api-key-file") && !line.contains("two words"), "{line}");
    }
}
