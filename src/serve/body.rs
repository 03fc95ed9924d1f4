//! The body of a request, read with a bound on its size, its time and the memory of all bodies together.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::OwnedSemaphorePermit;

use super::error::ApiError;
use super::server::{BODY_PART, Server};

/// The largest body.
const LARGEST: usize = 16 << 20;
/// How long a client may take to send one, and how long it may wait for room.
const PATIENCE: Duration = Duration::from_secs(60);

/// A whole body; its room is free again when it is dropped.
pub(super) struct Payload {
    pub bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

impl FromRequest<Arc<Server>> for Payload {
    type Rejection = ApiError;

    async fn from_request(request: Request, server: &Arc<Server>) -> Result<Payload, ApiError> {
        let said = request.headers().get(header::CONTENT_LENGTH);
        let length = said.and_then(|said| said.to_str().ok()?.parse().ok()).unwrap_or(LARGEST);
        if length > LARGEST {
            return Err(too_large());
        }
        let parts = length.div_ceil(BODY_PART) as u32;
        let room = tokio::time::timeout(PATIENCE, Arc::clone(&server.bodies).acquire_many_owned(parts));
        let Ok(Ok(room)) = room.await else {
            let what = "too much is being sent at once: try again later";
            return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, what));
        };
        let whole = Limited::new(request.into_body(), LARGEST).collect();
        match tokio::time::timeout(PATIENCE, whole).await {
            Ok(Ok(body)) => Ok(Payload { bytes: body.to_bytes(), _room: room }),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
            Ok(Err(_)) => Err(ApiError::bad("the body ended before its end")),
            Err(_) => {
                let what = format!("the body took longer than {} s", PATIENCE.as_secs());
                Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, what))
            }
        }
    }
}

fn too_large() -> ApiError {
    let what = format!("the body is larger than {} MiB", LARGEST >> 20);
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, what)
}
