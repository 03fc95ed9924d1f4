//! A server of llama.cpp's RPC, as people name it: `HOST:PORT`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::gguf::shown;

/// As many as ggml has room for.
const MOST: usize = 16;

/// Where a machine computes layers for others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RpcServer(String);

impl RpcServer {
    /// `HOST:PORT`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Says that it stands in a list twice.
    pub fn twice(&self) -> String {
        format!("--rpc: {self} is named twice: a server computes for one at a time")
    }

    /// Whether these can be used together: a server serves one model of one program at a time.
    ///
    /// # Errors
    /// One line.
    pub fn check(servers: &[RpcServer]) -> Result<(), String> {
        if servers.len() > MOST {
            return Err(format!("--rpc: {} servers are named, and llama.cpp takes {MOST}", servers.len()));
        }
        let twice = servers.iter().enumerate().find(|(at, server)| servers[..*at].contains(server));
        twice.map_or(Ok(()), |(_, server)| Err(server.twice()))
    }
}

impl FromStr for RpcServer {
    type Err = String;

    fn from_str(text: &str) -> Result<RpcServer, String> {
        let text = text.trim();
        let plain = |host: &str| {
            host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
        };
        match text.split_once(':') {
            Some((host, port))
                if !host.is_empty()
                    && plain(host)
                    && port.parse::<u16>().is_ok_and(|number| number > 0 && number.to_string() == port) =>
            {
                Ok(RpcServer(text.to_string()))
            }
            _ => Err(format!(
                "{}: an RPC server is HOST:PORT, a name or an IPv4 address, such as 192.168.0.5:50052",
                shown(text.as_bytes())
            )),
        }
    }
}

impl TryFrom<String> for RpcServer {
    type Error = String;

    fn try_from(text: String) -> Result<RpcServer, String> {
        text.parse()
    }
}

impl From<RpcServer> for String {
    fn from(server: RpcServer) -> String {
        server.0
    }
}

impl fmt::Display for RpcServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_host_and_a_port_and_stands_once_in_a_list() {
        let server = |text: &str| text.parse::<RpcServer>();
        assert_eq!(server(" gpu-1.lan:50052 ").unwrap().as_str(), "gpu-1.lan:50052");
        for wrong in [
            "",
            "host",
            "host:",
            ":1",
            "host:0",
            "host:65536",
            "host:052052",
            "host:+1",
            "http://host:1",
            "[::1]:1",
            "a b:1",
            "host:1:2",
        ] {
            let line = server(wrong).unwrap_err();
            assert!(line.contains("HOST:PORT") && !line.contains('\n'), "{wrong}: {line}");
        }
        let many: Vec<RpcServer> = (1..=17).map(|port| server(&format!("h:{port}")).unwrap()).collect();
        assert_eq!(RpcServer::check(&many[..16]), Ok(()));
        assert!(RpcServer::check(&many).unwrap_err().contains("17 servers"));
        assert!(RpcServer::check(&[many[0].clone(), many[0].clone()]).unwrap_err().contains("twice"));
    }
}
