//! How far something is, told to the screen by who does it.

use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::msg::Msg;
use crate::counter::Far;
use crate::engine::CancelFlag;
use crate::model::{ModelError, ModelStage, Progress};
use crate::session::state::Fetch;

/// Time between two words about how far something is: enough for eyes.
const OFTEN: Duration = Duration::from_millis(100);

/// What a person was asked, and answers by the same command.
pub(super) type PendingQuestion = Arc<Mutex<Option<String>>>;

/// Tells the screen how far an answer is.
pub(super) fn far_to(
    sender: SyncSender<Msg>,
    tell: impl Fn(Far) -> Msg + Send + Sync + 'static,
) -> Arc<dyn Fn(Far) + Send + Sync> {
    let last: Mutex<Option<Instant>> = Mutex::default();
    Arc::new(move |far| {
        let Ok(mut last) = last.lock() else { return };
        if last.is_none_or(|last| last.elapsed() >= OFTEN) {
            *last = Some(Instant::now());
            let _ = sender.try_send(tell(far));
        }
    })
}

/// Tells the screen how far finding the model is.
pub(super) struct Reporter {
    sender: SyncSender<Msg>,
    cancel: CancelFlag,
    last: Mutex<Option<Instant>>,
    /// What was asked before; missing where everything has been agreed to.
    asked: Option<PendingQuestion>,
    /// What the screen is told: that a model comes, or that a copy of one is made.
    tell: fn(Fetch) -> Msg,
}

impl Reporter {
    /// One that asks nothing.
    pub(super) fn new(sender: &SyncSender<Msg>, cancel: CancelFlag, tell: fn(Fetch) -> Msg) -> Reporter {
        Reporter { sender: sender.clone(), cancel, last: Mutex::default(), asked: None, tell }
    }

    /// The same that asks, as far as not everything has been agreed to.
    pub(super) fn asking(self, asked: Option<PendingQuestion>) -> Reporter {
        Reporter { asked, ..self }
    }

    /// The same for a copy that is made while the model runs.
    pub(super) fn of_copy(self) -> Reporter {
        Reporter { tell: Msg::Copying, ..self }
    }
}

impl Progress for Reporter {
    fn update(&self, stage: ModelStage, done: u64, total: Option<u64>) {
        if let Ok(mut last) = self.last.lock() {
            if last.is_some_and(|last| last.elapsed() < OFTEN) && total != Some(done) {
                return;
            }
            *last = Some(Instant::now());
        }
        let fetch = Fetch { what: stage.verb().to_string(), done, total };
        let _ = self.sender.try_send((self.tell)(fetch));
    }

    fn cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    fn warn(&self, line: &str) {
        let _ = self.sender.send(Msg::Note(line.to_string()));
    }

    fn agrees(&self, what: &str) -> Result<(), ModelError> {
        let Some(Ok(mut asked)) = self.asked.as_ref().map(|asked| asked.lock()) else { return Ok(()) };
        match asked.take().is_some_and(|before| before == what) {
            true => Ok(()),
            false => {
                *asked = Some(what.to_string());
                Err(ModelError::Asks(what.to_string()))
            }
        }
    }
}
