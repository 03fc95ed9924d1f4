//! What is new in a conversation, as events: of a conversation that goes on, again and again.
//!
//! Pure: it compares what it has told with what there is now, so that whoever changes a conversation need not
//! know that it is kept.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::event::{
    Begun, Chosen, InterventionSet, Judged, LogEvent, ModelLine, Moved, NameLine, Pin, PinSet, Pruned,
    SpelledToken, Spelling, TokenLine, TurnLine, VocabLine,
};
use super::figures::{finite, placed};
use super::{PinnedFigures, Saved, SavedBranch, SavedTurn, VERSION};
use crate::distribution::Depth;
use crate::engine::FinishReason;
use crate::sequence::{NodeNumber, TokenTree, TreeNode};
use crate::token::{TokenId, Vocab};

/// A conversation as it is now.
pub struct Now<'a> {
    /// Whose figures these are.
    pub model: &'a ModelLine,
    /// What its tokens stand for.
    pub vocab: &'a Vocab,
    /// Every token.
    pub tree: &'a TokenTree,
    /// The branches that may have changed, the present one last.
    pub branches: Vec<NowBranch<'a>>,
    /// Whether they are all written on, in turns.
    pub side_by_side: bool,
    /// Settings by name; `None` in the middle of a reply, when nothing but tokens is looked at.
    pub settings: Option<BTreeMap<String, String>>,
    /// What people said of it.
    pub verdicts: &'a [Judged],
    /// Texts that are pinned.
    pub pins: &'a [Pin],
    /// What is known of their first tokens.
    pub pinned: &'a PinnedFigures,
    /// Whether tokens without figures may get them soon.
    pub is_reading: bool,
}

/// One way the conversation has gone.
pub struct NowBranch<'a> {
    pub number: u32,
    /// The branch it left.
    pub from: Option<u32>,
    /// Its last token.
    pub tip: Option<NodeNumber>,
    /// What is said on it, in order.
    pub said: Vec<NowSaid<'a>>,
}

/// Something said.
pub struct NowSaid<'a> {
    /// Names it for as long as the conversation lasts.
    pub key: u64,
    /// `user` or `assistant`.
    pub role: &'static str,
    /// What was typed, or a reply's text where its tokens are not known.
    pub text: Option<&'a str>,
    /// Its first and its last token.
    pub tokens: Option<[u32; 2]>,
    /// A reply's seed.
    pub seed: Option<u32>,
    /// Why a reply ended.
    pub finish: Option<FinishReason>,
}

/// Remembers what it has told.
#[derive(Clone, Debug)]
pub struct Scribe {
    /// Candidates of a token that are told.
    depth: Depth,
    model: Option<ModelLine>,
    spelled: HashSet<TokenId>,
    /// Tokens told, and those of them whose figures were not known.
    nodes: usize,
    bare: Vec<NodeNumber>,
    /// Where whoever reads what was told stands.
    head: Option<NodeNumber>,
    branches: BTreeMap<u32, SavedBranch>,
    branch: u32,
    under: Vec<String>,
    turns: HashMap<u64, TurnLine>,
    last_turn: u32,
    settings: BTreeMap<String, String>,
    names: BTreeMap<NodeNumber, String>,
    pruned: HashSet<NodeNumber>,
    verdicts: Vec<Judged>,
    pins: Vec<Pin>,
}

impl Scribe {
    /// One that has told nothing yet.
    pub fn new(depth: Depth) -> Scribe {
        Scribe { model: None, ..Scribe::of(&Saved::default(), depth) }
    }

    /// One for a conversation that a file holds: what it tells follows that.
    pub fn of(saved: &Saved, depth: Depth) -> Scribe {
        let node = |i: u32| saved.tree.node(NodeNumber(i));
        let all = 0..saved.tree.len() as u32;
        let is_pruned = |i: &u32| node(*i).is_some_and(TreeNode::is_pruned);
        Scribe {
            depth,
            model: Some(saved.model.clone()),
            spelled: saved.vocab.ids().filter(|id| !saved.vocab.bytes(*id).is_empty()).collect(),
            nodes: saved.tree.len(),
            bare: all.clone().filter(|i| node(*i).is_some_and(is_bare)).map(NodeNumber).collect(),
            head: saved.tree.head(),
            branches: saved.branches.iter().map(|branch| (branch.number, branch.clone())).collect(),
            branch: saved.branch().number,
            under: all.clone().last().and_then(node).map(|node| node.under.names()).unwrap_or_default(),
            turns: HashMap::new(),
            last_turn: saved.turns.len() as u32,
            settings: saved.settings.clone(),
            names: saved.tree.names().map(|(node, name)| (node, name.to_string())).collect(),
            pruned: all.filter(is_pruned).map(NodeNumber).collect(),
            verdicts: saved.verdicts.clone(),
            pins: saved.pins.clone(),
        }
    }

    /// What the conversation calls something that was told with this number.
    pub fn call(&mut self, key: u64, number: u32, said: &SavedTurn) {
        let told = TurnLine { turn: number, tokens: said.tokens, finish: said.finish, ..TurnLine::default() };
        self.turns.insert(key, told);
    }

    /// Whose figures were told; `None` where nothing was.
    pub fn model(&self) -> Option<&ModelLine> {
        self.model.as_ref()
    }

    /// What is new; `clock` says when it begins, if it does.
    pub fn events(&mut self, now: &Now, clock: impl Fn() -> String) -> Vec<LogEvent> {
        let mut events = Vec::new();
        self.models(now, clock, &mut events);
        self.settings(now, &mut events);
        self.pins(now, &mut events);
        self.new_turns(now, &mut events);
        if !now.side_by_side {
            self.go_along(now, &mut events);
        }
        self.nodes(now, &mut events);
        self.turns(now, &mut events);
        self.settle(now, &mut events);
        if now.settings.is_some() {
            self.names(now, &mut events);
            self.prunes(now, &mut events);
            let fresh = now.verdicts.iter().filter(|verdict| !self.verdicts.contains(verdict));
            events.extend(fresh.cloned().map(LogEvent::Verdict));
            self.verdicts = now.verdicts.to_vec();
        }
        events
    }

    fn models(&mut self, now: &Now, clock: impl Fn() -> String, events: &mut Vec<LogEvent>) {
        match &self.model {
            Some(known) if known == now.model => return,
            None => events.push(LogEvent::Session(Begun {
                version: VERSION,
                created: Some(clock()),
                model: now.model.clone(),
            })),
            Some(_) => {
                events
                    .push(LogEvent::Setting(Chosen { model: Some(now.model.clone()), ..Chosen::default() }));
            }
        }
        self.model = Some(now.model.clone());
    }

    fn settings(&mut self, now: &Now, events: &mut Vec<LogEvent>) {
        let Some(settings) = &now.settings else { return };
        let changed = settings.iter().filter(|(name, value)| self.settings.get(*name) != Some(*value));
        let gone = self.settings.keys().filter(|name| !settings.contains_key(*name));
        let values: BTreeMap<_, _> = changed
            .map(|(name, value)| (name.clone(), Some(value.clone())))
            .chain(gone.map(|name| (name.clone(), None)))
            .collect();
        if !values.is_empty() {
            events.push(LogEvent::Setting(Chosen { values, model: None }));
        }
        self.settings.clone_from(settings);
    }

    fn pins(&mut self, now: &Now, events: &mut Vec<LogEvent>) {
        if now.settings.is_some() && self.pins != now.pins {
            self.spell(now.pins.iter().map(|pin| pin.first), now.vocab, events);
            events.push(LogEvent::Pin(PinSet { texts: now.pins.to_vec() }));
            self.pins = now.pins.to_vec();
        }
    }

    /// Goes to the branch that the conversation is on.
    fn go_along(&mut self, now: &Now, events: &mut Vec<LogEvent>) {
        now.branches.last().into_iter().for_each(|branch| self.enter(branch, events));
    }

    /// Goes to a branch, as far as its tokens are told.
    fn enter(&mut self, branch: &NowBranch, events: &mut Vec<LogEvent>) {
        if branch.number == self.branch {
            return;
        }
        let known = branch.said.iter().filter_map(|said| self.turns.get(&said.key)).map(|said| said.turn);
        let (number, from, turns) = (branch.number, branch.from, known.collect());
        let tip = branch.tip.filter(|tip| (tip.0 as usize) < self.nodes);
        self.go_to(SavedBranch { number, from, turns, tip }, events);
    }

    fn go_to(&mut self, branch: SavedBranch, events: &mut Vec<LogEvent>) {
        let is_new = !self.branches.contains_key(&branch.number);
        let moved = Moved {
            branch: Some(branch.number),
            from: branch.from.filter(|_| is_new),
            node: branch.tip.map(|tip| tip.0),
            turns: Some(branch.turns.clone()),
        };
        events.push(if is_new { LogEvent::Fork(moved) } else { LogEvent::Head(moved) });
        (self.head, self.branch) = (branch.tip, branch.number);
        self.branches.insert(branch.number, branch);
    }

    /// What is said that was not, each on its branch.
    fn new_turns(&mut self, now: &Now, events: &mut Vec<LogEvent>) {
        for branch in &now.branches {
            let is_new = |said: &&NowSaid| !self.turns.contains_key(&said.key);
            let fresh: Vec<&NowSaid> = branch.said.iter().filter(is_new).collect();
            let is_unknown = now.side_by_side && !self.branches.contains_key(&branch.number);
            if !fresh.is_empty() || is_unknown {
                self.enter(branch, events);
            }
            if let Some(told) = self.branches.get_mut(&branch.number).filter(|_| is_unknown) {
                // Its first token follows this one.
                told.tip = branch.tip;
            }
            for said in fresh {
                self.last_turn += 1;
                let told = TurnLine {
                    turn: self.last_turn,
                    role: Some(said.role.to_string()),
                    text: said.text.map(str::to_string),
                    seed: said.seed,
                    ..TurnLine::default()
                };
                if let Some(branch) = self.branches.get_mut(&self.branch) {
                    branch.turns.push(told.turn);
                }
                events.push(LogEvent::Turn(told.clone()));
                self.turns.insert(said.key, told);
            }
        }
    }

    /// Tokens, each once it has figures or will have none.
    fn nodes(&mut self, now: &Now, events: &mut Vec<LogEvent>) {
        self.late_figures(now, events);
        while let Some(node) = now.tree.node(NodeNumber(self.nodes as u32)) {
            let number = NodeNumber(self.nodes as u32);
            if node.step.is_none() && now.is_reading {
                break;
            }
            if node.parent() != self.head {
                self.turn_to(node.parent(), now, events);
            }
            let under = node.under.names();
            if under != self.under {
                events.push(LogEvent::Intervention(InterventionSet { names: under.clone() }));
                self.under = under;
            }
            if is_bare(node) {
                self.bare.push(number);
            }
            let line = self.line(number, node, now);
            self.place(line, now.vocab, events);
            self.nodes += 1;
            self.head = Some(number);
            if let Some(branch) = self.branches.get_mut(&self.branch) {
                branch.tip = Some(number);
            }
        }
    }

    /// Goes to where the next token comes: where several branches are written in turns, the one that ends there.
    fn turn_to(&mut self, parent: Option<NodeNumber>, now: &Now, events: &mut Vec<LogEvent>) {
        let node = parent.map(|parent| parent.0);
        let written = now.branches.iter().filter(|_| now.side_by_side).map(|branch| branch.number);
        let mut known = written.filter_map(|number| self.branches.get(&number));
        match known.find(|branch| branch.tip == parent).map(|branch| branch.number) {
            Some(number) => {
                events.push(LogEvent::Head(Moved { branch: Some(number), node, ..Moved::default() }));
                self.branch = number;
            }
            None => events.push(LogEvent::Fork(Moved { node, ..Moved::default() })),
        }
    }

    /// Figures of tokens that had none when they were told.
    fn late_figures(&mut self, now: &Now, events: &mut Vec<LogEvent>) {
        let has_figures = |number: &NodeNumber| now.tree.node(*number).is_some_and(|node| !is_bare(node));
        let (late, bare) = std::mem::take(&mut self.bare).into_iter().partition(has_figures);
        self.bare = bare;
        let late: Vec<NodeNumber> = late;
        for number in late {
            let Some(node) = now.tree.node(number).filter(|node| !node.is_pruned()) else { continue };
            let line = TokenLine { node: Some(number.0), ..self.line(number, node, now) };
            self.place(line, now.vocab, events);
        }
    }

    fn line(&self, number: NodeNumber, node: &TreeNode, now: &Now) -> TokenLine {
        let Some(step) = &node.step else { return TokenLine::bare(node.id, node.origin) };
        let mut line = placed(step, node.origin, self.depth);
        let others = now.pins.iter().map(|pin| pin.first).filter(|id| !line.top.0.contains(id));
        let known = others.filter_map(|id| now.pinned.get(&(number, id)).map(|known| (id, *known)));
        let pins = known.map(|(id, (logprob, rank))| (id, finite(logprob), rank)).collect();
        line.pins = pins;
        line
    }

    /// A token, after the spelling of what is new in it.
    fn place(&mut self, line: TokenLine, vocab: &Vocab, events: &mut Vec<LogEvent>) {
        self.spell(std::iter::once(line.id).chain(line.top.0.iter().copied()), vocab, events);
        events.push(LogEvent::Step(Box::new(line)));
    }

    /// The spelling of tokens that were not told yet.
    fn spell(&mut self, ids: impl Iterator<Item = TokenId>, vocab: &Vocab, events: &mut Vec<LogEvent>) {
        let fresh: Vec<TokenId> = ids.filter(|id| self.spelled.insert(*id)).collect();
        if !fresh.is_empty() {
            let tokens = fresh.into_iter().map(|id| spelled(id, vocab)).collect();
            events.push(LogEvent::Vocab(VocabLine { tokens }));
        }
    }

    /// What is known by now of what was said.
    fn turns(&mut self, now: &Now, events: &mut Vec<LogEvent>) {
        for said in now.branches.iter().flat_map(|branch| &branch.said) {
            let Some(told) = self.turns.get_mut(&said.key) else { continue };
            // Only of tokens that were told, and of a reply when it has all of them.
            let is_whole = said.finish.is_some() || said.role == "user";
            let tokens = said.tokens.filter(|[_, last]| is_whole && (*last as usize) < self.nodes);
            let is_placed = tokens.is_some() && tokens != told.tokens;
            if is_placed || (said.finish.is_some() && told.finish != said.finish) {
                told.tokens = tokens.or(told.tokens);
                told.finish = said.finish;
                events.push(LogEvent::Turn(TurnLine {
                    turn: told.turn,
                    tokens,
                    finish: said.finish,
                    ..TurnLine::default()
                }));
            }
        }
    }

    /// Where whoever reads what was told stands otherwise than the conversation does.
    fn settle(&mut self, now: &Now, events: &mut Vec<LogEvent>) {
        if self.nodes < now.tree.len() {
            return;
        }
        for branch in &now.branches {
            let turns = branch.said.iter().filter_map(|said| self.turns.get(&said.key)).map(|said| said.turn);
            let (number, from, tip) = (branch.number, branch.from, branch.tip);
            let is = SavedBranch { number, from, turns: turns.collect(), tip };
            let told = self.branches.get(&number);
            if told.is_none_or(|told| told.tip != is.tip || told.turns != is.turns) {
                self.go_to(is, events);
            }
        }
        self.go_along(now, events);
    }

    fn names(&mut self, now: &Now, events: &mut Vec<LogEvent>) {
        let names: BTreeMap<NodeNumber, String> =
            now.tree.names().map(|(node, name)| (node, name.to_string())).collect();
        let given = names.iter().filter(|(node, name)| self.names.get(node) != Some(name));
        let gone = self.names.keys().filter(|node| !names.contains_key(node)).map(|node| (node, None));
        let all = given.map(|(node, name)| (node, Some(name.clone()))).chain(gone);
        events.extend(all.map(|(node, name)| LogEvent::Name(NameLine { node: node.0, name })));
        self.names = names;
    }

    fn prunes(&mut self, now: &Now, events: &mut Vec<LogEvent>) {
        let is_pruned = |number: NodeNumber| now.tree.node(number).is_some_and(TreeNode::is_pruned);
        for number in (0..self.nodes as u32).map(NodeNumber) {
            if is_pruned(number) && self.pruned.insert(number) {
                // Its parent's event takes it out too.
                let parent = now.tree.node(number).and_then(TreeNode::parent);
                if !parent.is_some_and(is_pruned) {
                    events.push(LogEvent::Prune(Pruned { node: number.0 }));
                }
            }
        }
    }
}

/// Whether a token has no figures, though something stands before it.
fn is_bare(node: &TreeNode) -> bool {
    node.parent().is_some() && node.step.as_ref().is_none_or(|step| step.stats.is_none())
}

/// A token's spelling as a line has it.
fn spelled(id: TokenId, vocab: &Vocab) -> SpelledToken {
    let bytes = vocab.bytes(id);
    let spelling = match std::str::from_utf8(bytes) {
        Ok(text) => Spelling::Text(text.to_string()),
        Err(_) => Spelling::Bytes(bytes.to_vec()),
    };
    let flags = [(vocab.is_control(id), 'c'), (vocab.ends_generation(id), 'e')];
    let flags: String = flags.into_iter().filter_map(|(holds, flag)| holds.then_some(flag)).collect();
    if flags.is_empty() {
        SpelledToken::Plain(id, spelling)
    } else {
        SpelledToken::Special(id, spelling, flags)
    }
}
