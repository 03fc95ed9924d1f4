//! A flag that stops work wherever it is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Asks a running request to stop. An atomic beside the channel, so that a full channel can't block it.
#[derive(Clone, Debug, Default)]
pub struct CancelFlag {
    own: Arc<AtomicBool>,
    /// Stops this request too, and others with it.
    wider: Option<Arc<CancelFlag>>,
}

impl CancelFlag {
    /// Raises the flag; the engine looks between tokens and between prefill chunks.
    pub fn cancel(&self) {
        self.own.store(true, Ordering::Relaxed);
    }

    /// Whether the flag is up.
    pub fn is_cancelled(&self) -> bool {
        self.own.load(Ordering::Relaxed) || self.wider.as_ref().is_some_and(|wider| wider.is_cancelled())
    }

    /// A flag that is up when this one is, and can be raised without it.
    #[must_use]
    pub fn narrower(&self) -> CancelFlag {
        CancelFlag { own: Arc::default(), wider: Some(Arc::new(self.clone())) }
    }
}

impl From<Arc<AtomicBool>> for CancelFlag {
    /// A flag that something else raises too, such as a signal handler.
    fn from(raised: Arc<AtomicBool>) -> CancelFlag {
        CancelFlag { own: raised, wider: None }
    }
}

impl PartialEq for CancelFlag {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.own, &other.own)
    }
}
