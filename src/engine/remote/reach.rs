//! How a server is reached: directly or through a proxy, in the open or through TLS; and in what words it is not.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Proxy, Timeout};

use super::wire::{Trouble, WireLimits, short};
use crate::model::{Patience, ServerAccess, ServerAddress};

/// A way to the server; what the environment says of proxies holds.
pub(super) fn agent(access: &ServerAccess, limits: &WireLimits) -> Result<Agent, Trouble> {
    let Patience { connect, answer, idle } = limits.patience;
    let variable = |name: &str| std::env::var(name).ok();
    let proxy = match proxy_for(&access.address, variable) {
        Some((name, url)) => {
            // What it holds may be a password.
            let wrong = |_| Trouble::wrong(format!("{name} is no proxy's address, such as http://HOST:PORT"));
            Some(Proxy::new(&url).map_err(wrong)?)
        }
        None => None,
    };
    let mut config = Agent::config_builder()
        .timeout_connect(Some(connect))
        .timeout_recv_response(Some(answer))
        .timeout_per_read(Some(answer.max(idle)))
        .timeout_per_write(Some(idle))
        .proxy(proxy)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .user_agent(concat!("tokenscope/", env!("CARGO_PKG_VERSION")));
    if let Some(pem) = &access.authorities {
        let certificates: Vec<Certificate> = parse_pem(pem)
            .filter_map(|item| match item {
                Ok(PemItem::Certificate(certificate)) => Some(certificate),
                _ => None,
            })
            .collect();
        config = config.tls_config(TlsConfig::builder().root_certs(RootCerts::from(certificates)).build());
    }
    Ok(config.build().into())
}

/// The variable that names the proxy which stands between, if there is one.
pub(super) fn proxy_variable(access: &ServerAccess) -> Option<&'static str> {
    proxy_for(&access.address, |name| std::env::var(name).ok()).map(|(name, _)| name)
}

/// The proxy that stands between, and the variable that names it: never before an address of this machine.
fn proxy_for(
    address: &ServerAddress,
    variable: impl Fn(&str) -> Option<String>,
) -> Option<(&'static str, String)> {
    let (host, port) = (address.host_name(), address.port());
    let host = host.trim_matches(['[', ']']);
    let here = host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let set = |name: &&'static str| variable(name).filter(|value| !value.trim().is_empty());
    let none = ["no_proxy", "NO_PROXY"].iter().find_map(set).unwrap_or_default();
    if here || none.split(',').any(|entry| leaves_out(entry.trim(), host, port)) {
        return None;
    }
    let names = match address.is_secure() {
        true => ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        false => ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
    };
    names.iter().find_map(|name| Some((*name, set(name)?.trim().to_string())))
}

/// Whether an entry of `NO_PROXY` is about a host: its name, a domain above it, with or without a port.
fn leaves_out(entry: &str, host: &str, port: u16) -> bool {
    let (entry, of_port) = match entry.rsplit_once(':') {
        Some((name, number)) if number.parse::<u16>().is_ok() => (name, number.parse() == Ok(port)),
        _ => (entry, true),
    };
    let name = entry.trim_start_matches('*').trim_start_matches('.').trim_matches(['[', ']']);
    let is_it = entry == "*" || host.eq_ignore_ascii_case(name);
    let is_below = || {
        let at = host.len().checked_sub(name.len() + 1).filter(|_| !name.is_empty());
        at.and_then(|at| host.get(at..))
            .is_some_and(|end| end.starts_with('.') && end[1..].eq_ignore_ascii_case(name))
    };
    of_port && (is_it || is_below())
}

/// Why a request has no answer. `secure`: whether TLS was wanted of a server that has not shown that it speaks it.
pub(super) fn connection(error: &ureq::Error, patience: Patience, secure: bool) -> Trouble {
    match error {
        ureq::Error::HostNotFound => Trouble::Lasting("there is no such host".to_string()),
        ureq::Error::Io(error) => io_trouble(error, secure),
        ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve) => {
            Trouble::Passing(format!("no connection: nobody answers within {}", told(patience.connect)), None)
        }
        ureq::Error::Timeout(_) => Trouble::Slow(format!(
            "it takes the request and does not begin to answer within {} (--timeouts)",
            told(patience.answer)
        )),
        ureq::Error::ConnectionFailed => Trouble::Passing("no connection".to_string(), None),
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => tls(&error.to_string()),
        other => Trouble::Lasting(short(&other.to_string())),
    }
}

/// Why an answer breaks off.
pub(super) fn broke(error: &io::Error, patience: Patience) -> Trouble {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>()) {
        Some(ureq::Error::Timeout(_)) => Trouble::Slow(format!(
            "nothing has come for {} in the middle of its answer (--timeouts)",
            told(patience.answer.max(patience.idle))
        )),
        _ => io_trouble(error, false),
    }
}

fn io_trouble(error: &io::Error, secure: bool) -> Trouble {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            Trouble::Passing("no connection: nobody listens there".to_string(), None)
        }
        io::ErrorKind::InvalidData if secure => tls(&error.to_string()),
        io::ErrorKind::UnexpectedEof if secure => tls("it closes the connection"),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            Trouble::Lasting(format!("it does not answer in HTTP ({})", short(&error.to_string())))
        }
        _ if error.to_string().contains("failed to lookup address") => {
            Trouble::Lasting("there is no such host".to_string())
        }
        _ => Trouble::Passing(format!("the connection broke ({})", short(&error.to_string())), None),
    }
}

fn tls(what: &str) -> Trouble {
    let what = short(what);
    Trouble::Lasting(match what.contains("certificate") {
        true => format!(
            "its certificate is not trusted ({what}): give the authority's, or its own, with --ca-file FILE"
        ),
        false => format!("no TLS with it ({what}): is it http:// and not https://?"),
    })
}

pub(super) fn told(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(address: &str, variables: &[(&str, &str)]) -> Option<String> {
        let address = ServerAddress::parse(address).unwrap();
        let found = proxy_for(&address, |name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string())
        });
        found.map(|(name, url)| format!("{name} {url}"))
    }

    #[test]
    fn a_proxy_is_the_one_of_the_scheme_and_never_before_this_machine() {
        let all = [("HTTP_PROXY", "http://p:1"), ("https_proxy", "http://s:2"), ("ALL_PROXY", "http://a:3")];
        assert_eq!(proxy("http://gpu:8000", &all).as_deref(), Some("HTTP_PROXY http://p:1"));
        assert_eq!(proxy("https://gpu", &all).as_deref(), Some("https_proxy http://s:2"));
        assert_eq!(proxy("https://gpu", &all[2..]).as_deref(), Some("ALL_PROXY http://a:3"));
        assert_eq!(proxy("https://gpu", &[("https_proxy", " ")]), None);
        for here in ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "http://127.9.9.9"] {
            assert_eq!(proxy(here, &all), None, "{here}");
        }
    }

    #[test]
    fn who_needs_no_proxy_is_a_host_a_domain_or_everybody() {
        let without = |none: &str| {
            proxy("http://Models.lab.example:8000", &[("http_proxy", "http://p:1"), ("NO_PROXY", none)])
                .is_none()
        };
        for entry in
            ["*", "models.lab.example", "lab.example", ".example", "a, *.lab.example ", "lab.example:8000"]
        {
            assert!(without(entry), "{entry}");
        }
        for entry in ["", ",", "els.lab.example", "lab.example:80", "other.example", "models"] {
            assert!(!without(entry), "{entry}");
        }
    }
}
