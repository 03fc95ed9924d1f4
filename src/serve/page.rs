//! `GET /`: a page on which a text can be looked at, and what else there is to ask.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use minijinja::context;

use super::answer::plain;
use super::error::ApiError;
use super::server::Server;
use crate::report::html;

pub(super) async fn page(State(server): State<Arc<Server>>) -> Result<Response, ApiError> {
    let values = context! {
        model => server.served.model.name.clone(),
        about => server.served.origin.header(),
        keyed => !server.keys.is_empty(),
    };
    let page = html::page(include_str!("page/page.html"), include_str!("page/script.js"), values)
        .map_err(|error| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    let mut response = plain("text/html; charset=utf-8", page);
    let headers = response.headers_mut();
    // Scripts and styles are named in the page itself; a frame can only be forbidden here.
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("frame-ancestors 'none'"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}
