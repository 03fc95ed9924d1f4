//! Who may ask: a key where there is one, and never a page of somebody else's in a browser.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::error::ApiError;
use super::server::Server;

/// What is answered without a key: nothing that needs the model.
const OPEN: [&str; 2] = ["/", "/health"];

/// Answers before which no body is read.
const UNREAD: [StatusCode; 4] =
    [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED];

/// Lets a request through or answers it, and counts the answer.
pub(super) async fn guard(
    State(server): State<Arc<Server>>,
    path: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let path = path.as_ref().map_or("", MatchedPath::as_str).to_string();
    let has_body = has_body(request.headers());
    let mut response = match allowed(&server, &path, request.headers()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.response(),
    };
    if has_body && UNREAD.contains(&response.status()) {
        // The connection ends with a body that nobody has read: whoever keeps it must know.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    server
        .metrics
        .answered(if path.is_empty() { "other".to_string() } else { path }, response.status().as_u16());
    response
}

fn has_body(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH);
    headers.contains_key(header::TRANSFER_ENCODING) || length.is_some_and(|length| length != "0")
}

fn allowed(server: &Server, path: &str, headers: &HeaderMap) -> Result<(), ApiError> {
    let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
    let host = text(header::HOST).unwrap_or_default();
    // A name that somebody else's name server leads here would let their page ask as if it was ours.
    if server.is_local && server.keys.is_empty() && !host.is_empty() && !is_own(host) {
        let what = "this address is for this machine alone: ask it as localhost or 127.0.0.1";
        return Err(ApiError::new(StatusCode::FORBIDDEN, what));
    }
    if let Some(origin) = text(header::ORIGIN)
        && origin.split_once("://").is_none_or(|(_, from)| from != host)
    {
        let what = "pages of other servers may not ask this one";
        return Err(ApiError::new(StatusCode::FORBIDDEN, what));
    }
    if server.keys.is_empty() || OPEN.contains(&path) {
        return Ok(());
    }
    let bearer = text(header::AUTHORIZATION).and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
    });
    match bearer.or_else(|| text(header::HeaderName::from_static("x-api-key"))) {
        Some(key) if server.keys.has(key) => Ok(()),
        Some(_) => {
            Err(ApiError::new(StatusCode::UNAUTHORIZED, "the key is not right").code("invalid_api_key"))
        }
        None => {
            let what = "a key is needed: send \"Authorization: Bearer KEY\"";
            Err(ApiError::new(StatusCode::UNAUTHORIZED, what).code("invalid_api_key"))
        }
    }
}

/// Whether a host, with or without a port, is a name of this machine for itself.
fn is_own(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests;
