//! A session with the default model, driven as the pipe and the REPL are.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokenscope::command;
use tokenscope::distribution::Depth;
use tokenscope::engine::{
    CancelFlag, Client, Command, EngineError, Event, FinishReason, Layout, ModelInfo, ScoreBatch, Sequence,
};
use tokenscope::loading::{self, FlagIsConsent, FoundModel};
use tokenscope::model::Silent;
use tokenscope::paths::Paths;
use tokenscope::sampling::Sampling;
use tokenscope::session::drive::{Front, begin, drive};
use tokenscope::session::{Notice, Outcome, Session};
use tokenscope::settings::{ConfigFile, Flags, SamplingFlags, Settings};
use tokenscope::token::TokenId;

pub struct Talk {
    pub client: Client,
    pub info: Arc<ModelInfo>,
    pub session: Session,
    pub heard: Heard,
}

/// What came of it.
#[derive(Default)]
pub struct Heard {
    interrupted: Arc<AtomicBool>,
    /// What was said of it.
    pub told: Vec<Notice>,
    /// The prompt of every request.
    pub prompts: Vec<Vec<TokenId>>,
    /// Prompt tokens that were computed, by request.
    pub computed: Vec<usize>,
}

impl Front for Heard {
    fn interrupted(&self) -> &Arc<AtomicBool> {
        &self.interrupted
    }

    fn say(&mut self, notice: Notice) -> io::Result<()> {
        self.told.push(notice);
        Ok(())
    }

    fn ended(&mut self, session: &Session, how: &Result<FinishReason, EngineError>) -> io::Result<()> {
        // What fails is said, and where another reply begins at once its branch has none yet.
        let reply = session.turns().last().and_then(|turn| turn.reply.as_ref());
        if let (Ok(_), Some(reply)) = (how, reply) {
            let sequence = session.sequence();
            let prompt = sequence.tokens().take(sequence.reply_start());
            self.prompts.push(prompt.map(|token| token.id).collect());
            self.computed.push(reply.timing.prefill_tokens);
        }
        Ok(())
    }

    fn other(&mut self, _: &mut Session, _: &mut Client, outcome: Outcome) -> io::Result<Vec<Outcome>> {
        assert!(matches!(outcome, Outcome::GiveBack(_)), "{outcome:?}");
        Ok(Vec::new())
    }
}

/// Those of a chat whose context holds 1024 tokens.
pub fn settings(sampling: SamplingFlags) -> Settings {
    let flags = Flags { ctx: Some(1024), ..Flags::default() };
    Settings::from_layers(Sampling::chat(), &ConfigFile::default(), &flags, &sampling).unwrap()
}

impl Talk {
    pub fn new(settings: Settings) -> Talk {
        let paths = Paths::from_env().unwrap();
        let FoundModel { options, .. } =
            loading::find(&settings, &paths, CancelFlag::default(), &Silent, &FlagIsConsent).unwrap();
        let (mut client, info) = Client::load(options, |_| {}).unwrap();
        let (mut session, mut heard) = (Session::new(settings), Heard::default());
        begin(&mut session, &mut client, Arc::clone(&info), &mut heard).unwrap();
        assert!(heard.told.is_empty(), "{:?}", heard.told);
        Talk { client, info, session, heard }
    }

    /// Says something or gives a command; what was said of it.
    pub fn line(&mut self, line: &str) -> String {
        let outcomes = match command::parse(line) {
            Some(command) => self.session.execute(command.unwrap()),
            None => self.session.say(line),
        };
        self.heard.told.clear();
        let outcomes = outcomes.unwrap_or_else(|error| vec![error.into()]);
        drive(&mut self.session, &mut self.client, outcomes, &mut self.heard).unwrap();
        self.heard.told.iter().map(|notice| notice.text().to_string() + "\n").collect()
    }

    pub fn last_ids(&self) -> Vec<TokenId> {
        self.session.turns().last().unwrap().reply.as_ref().unwrap().ids.clone()
    }

    /// ln p of each token from `from` on, with the whole sequence given.
    pub fn score(&mut self, tokens: Vec<TokenId>, from: usize) -> Vec<f64> {
        self.score_all(vec![Sequence { tokens, from }], Layout::Together).remove(0)
    }

    pub fn score_all(&mut self, sequences: Vec<Sequence>, layout: Layout) -> Vec<Vec<f64>> {
        let request = ScoreBatch { sequences, layout, depth: Depth::Count(1), ..ScoreBatch::default() };
        let mut found = Vec::new();
        let told = |event| {
            if let Event::Scored { steps, .. } = event {
                found.push(steps.iter().map(|step| f64::from(step.logprob().unwrap())).collect());
            }
        };
        let (reason, _) = self.client.run(Command::Score(request), told).unwrap();
        assert_eq!(reason, FinishReason::Stop);
        found
    }
}
