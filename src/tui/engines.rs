//! The engine that answers a screen, and the one on its way to take its place.

use std::sync::mpsc::{SendError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::beside::wish::BesideNews;
use super::msg::Msg;
use crate::engine::{CancelFlag, Engine, EngineError, Event, LoadOptions, ModelInfo};
use crate::loading;

/// Shared with the threads that find and load models.
#[derive(Clone, Default)]
pub(super) struct Engines(Arc<Mutex<EngineSlots>>);

#[derive(Default)]
struct EngineSlots {
    /// The engine, and how it is loaded again.
    answering: Option<(Engine, LoadOptions)>,
    coming: Option<Engine>,
    /// The second model.
    beside: Option<Engine>,
}

impl Engines {
    fn slots(&self) -> MutexGuard<'_, EngineSlots> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The engine that answers.
    pub fn answering(&self) -> Option<Engine> {
        self.slots().answering.as_ref().map(|(engine, _)| engine.clone())
    }

    /// Loads a model in the place of the present one, and waits for it.
    pub fn change(&self, options: &LoadOptions, cancel: &CancelFlag, sender: &SyncSender<Msg>) {
        let old = self.answering();
        let note = |line: &str| _ = sender.send(Msg::Note(line.to_string()));
        let load = || self.load(options, cancel, sender);
        let event = match loading::in_place_of(old.as_ref(), options, note, load) {
            // Another one is wanted by now.
            _ if cancel.is_cancelled() => return,
            Err(error) if old.is_some() => return self.give_up(error.to_string(), cancel, sender),
            Err(error) => Event::Lost(error),
            Ok(info) => Event::Ready(info),
        };
        let _ = sender.send(Msg::Engine(event));
    }

    /// A model can't be had: the present one is loaded again where it had to end for it.
    pub fn give_up(&self, reason: String, cancel: &CancelFlag, sender: &SyncSender<Msg>) {
        let old = self.slots().answering.clone();
        if let Some((_, options)) = old.filter(|(engine, _)| engine.has_ended()) {
            let options = LoadOptions { cancel: cancel.clone(), ..options };
            if let Err(error) = self.load(&options, cancel, sender) {
                let _ = sender.send(Msg::Engine(Event::Lost(error)));
            }
        }
        let _ = sender.send(Msg::NoModel(reason));
    }

    fn load(
        &self,
        options: &LoadOptions,
        cancel: &CancelFlag,
        sender: &SyncSender<Msg>,
    ) -> Result<Arc<ModelInfo>, EngineError> {
        let (first, ready) = sync_channel(1);
        let (says, wanted) = (sender.clone(), cancel.clone());
        let engine = Engine::load(options.clone(), move |event| {
            let outcome = match event {
                Event::Ready(info) => first.send(Ok(info)),
                Event::Lost(error) => first.send(Err(error)),
                // Of one that was given up while it loads nobody wants to hear.
                event => {
                    if !wanted.is_cancelled() {
                        let _ = says.send(Msg::Engine(event));
                    }
                    Ok(())
                }
            };
            // It was ready before.
            if let Err(SendError(Err(error))) = outcome {
                let _ = says.send(Msg::Engine(Event::Lost(error)));
            }
        });
        self.slots().coming = Some(engine.clone());
        let info = ready.recv().unwrap_or_else(|_| Err(EngineError::Died("its thread ended".to_string())))?;
        let mut slots = self.slots();
        (slots.answering, slots.coming) = (Some((engine, options.clone())), None);
        drop(slots);
        Ok(info)
    }

    /// How the engine that answers was loaded.
    pub fn options(&self) -> Option<LoadOptions> {
        self.slots().answering.as_ref().map(|(_, options)| options.clone())
    }

    /// The second model's.
    pub fn beside(&self) -> Option<Engine> {
        self.slots().beside.clone()
    }

    /// Loads the second model.
    pub fn load_beside(&self, options: LoadOptions, sender: &SyncSender<Msg>) {
        let says = sender.clone();
        let engine = Engine::load(options, move |event| {
            let news = match event {
                Event::LoadProgress(share) => BesideNews::Share(share),
                Event::Ready(info) => BesideNews::Ready(info),
                Event::Lost(error) => BesideNews::Lost(error.to_string()),
                _ => return,
            };
            let _ = says.send(Msg::Beside(news));
        });
        self.slots().beside = Some(engine);
    }

    /// Ends them; `false`: one still computes after this long.
    pub fn shut_down(&self, patience: Duration) -> bool {
        let EngineSlots { answering, coming, beside } = std::mem::take(&mut *self.slots());
        let engines = answering.map(|(engine, _)| engine).into_iter().chain(coming).chain(beside);
        // Every one is told before one is waited for.
        let engines: Vec<Engine> = engines.inspect(|engine| _ = engine.shut_down(Duration::ZERO)).collect();
        engines.iter().all(|engine| engine.shut_down(patience))
    }
}
