//! The flags of a lens, the same on the command line and in a conversation, and the way of looking that they
//! ask for.

use std::path::PathBuf;

use clap::{Args, Parser, ValueEnum};

use super::Looking;
use super::attention::{Positions, Which};
use super::keyboard::KeyboardWish;
use super::knockout::{Knocked, KnockoutWish, SetTo};
use super::occlusion::Instead;
use super::spans::SpanUnit;
use super::trace::{TracePart, TraceWish};
use super::variants::{Corrupt, TokenSpan};
use crate::intervention::AttentionEdge;
use crate::text::one_line;
use crate::token::printable;

/// How often the first suggestion is taken where nobody says.
const CLICKS: usize = 16;

/// Ways of looking, by their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LensView {
    /// What the model's own head says of the residual stream after each layer
    Logit,
    /// The target when the model sees only the last 1, 2, 4 … tokens
    Context,
    /// The target without each word, token, character, sentence or turn
    Occlusion,
    /// The weights of attention, by layer and head
    Attention,
    /// What the embedding, attention, feed-forward network and heads each add to the target's logit
    Attribution,
    /// The model beside an n-gram model of its own ids: what counting alone would suggest
    Keyboard,
    /// The target without heads, attention, feed-forward networks, layers and edges, one at a time
    Knockout,
    /// What brings the target back when it is put from a clean prompt into a corrupt one
    Trace,
}

impl LensView {
    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            LensView::Logit => "logit",
            LensView::Context => "context",
            LensView::Occlusion => "occlusion",
            LensView::Attention => "attention",
            LensView::Attribution => "attribution",
            LensView::Keyboard => "keyboard",
            LensView::Knockout => "knockout",
            LensView::Trace => "trace",
        }
    }

    /// The view that a way of looking is one of.
    pub fn of(looking: &Looking) -> LensView {
        match looking {
            Looking::Logit => LensView::Logit,
            Looking::Context => LensView::Context,
            Looking::Occlusion { .. } => LensView::Occlusion,
            Looking::Attention(_) => LensView::Attention,
            Looking::Attribution => LensView::Attribution,
            Looking::Keyboard(_) => LensView::Keyboard,
            Looking::Knockout(_) => LensView::Knockout,
            Looking::Trace(_) => LensView::Trace,
        }
    }

    /// The view of a name.
    pub fn named(name: &str) -> Option<LensView> {
        LensView::value_variants().iter().copied().find(|view| view.name() == name)
    }

    /// Their names, for a sentence.
    pub fn names() -> String {
        let names: Vec<&str> = LensView::value_variants().iter().map(|view| view.name()).collect();
        names.join(", ")
    }
}

/// Parts of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub enum LensPart {
    /// The residual stream after a layer (trace)
    Residual,
    /// What attention adds to it
    Attention,
    /// What the feed-forward network adds to it
    Ffn,
    /// What a head gives
    Head,
    /// A whole layer (knockout)
    Layer,
    /// Attention from one position to another (knockout)
    Edge,
}

/// How a view is to be had.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct LensFlags {
    /// With occlusion: what is left out at a time (default: word; char in scripts without spaces)
    #[arg(long, value_name = "UNIT")]
    pub by: Option<SpanUnit>,
    /// With occlusion: put neutral tokens there, as many as there were, instead of leaving a span out
    #[arg(long)]
    pub replace: bool,
    /// With --replace: the text whose tokens are neutral
    #[arg(long, value_name = "TEXT", default_value = " _", allow_hyphen_values = true, requires = "replace")]
    pub neutral: String,
    /// With attention: from which position, counted from 0, or all, of one layer or head (default: the last);
    /// with trace: this position alone
    #[arg(long, value_name = "N|all", allow_hyphen_values = true)]
    pub position: Option<String>,
    /// With attention, knockout and trace: this layer alone, counted from 0
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub layer: Option<usize>,
    /// With attention, knockout and trace: this head alone, counted from 0
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub head: Option<usize>,
    /// With keyboard: count this text instead of the one that comes with the program
    #[arg(long, value_name = "FILE")]
    pub corpus: Option<PathBuf>,
    /// With keyboard: how often the first suggestion is taken, until the context is full (default: 16)
    #[arg(long, short = 'n', value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_tokens: Option<u32>,
    /// With trace: what is put from the clean prompt into the corrupt one (default: residual); with knockout:
    /// this kind of part alone (default: all but residual)
    #[arg(long, value_name = "PART")]
    pub part: Option<LensPart>,
    /// With trace and knockout: a prompt of as many tokens that differs; with --span what stands there alone
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub corrupt: Option<String>,
    /// With --corrupt: it stands in place of these tokens of the prompt, counted from 0
    #[arg(long, value_name = "FIRST[:LAST]", allow_hyphen_values = true)]
    pub span: Option<TokenSpan>,
    /// With knockout: what a part is set to (default: zero; with --corrupt what it has in that prompt)
    #[arg(long, value_name = "VALUE")]
    pub set: Option<SetTo>,
    /// With knockout: layers in which an edge is cut at a time (default: a sixth of them)
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub window: Option<u32>,
    /// With knockout: cut this edge alone, from the position that is looked at to the one that looks, in every
    /// layer and head or in one; can be given several times
    #[arg(long = "edge", value_name = "FROM:TO[:LAYER[:HEAD]]", allow_hyphen_values = true)]
    pub edges: Vec<AttentionEdge>,
}

/// Flags before a text.
#[derive(Debug, Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct FlagsBefore {
    #[command(flatten)]
    flags: LensFlags,
}

impl LensFlags {
    /// The way of looking that a view and its flags ask for.
    ///
    /// # Errors
    /// What is wrong: a flag of another view, or a value.
    pub fn looking(&self, view: LensView) -> Result<Looking, String> {
        self.belong_to(&[view])?;
        self.ways(view)
    }

    /// The ways of looking that several views ask for, each with the flags that belong to it.
    ///
    /// # Errors
    /// What is wrong: a view that is named twice, a flag of none of them, or a value.
    pub fn lookings(&self, views: &[LensView]) -> Result<Vec<Looking>, String> {
        if let Some((_, twice)) = views.iter().enumerate().find(|(i, view)| views[..*i].contains(view)) {
            return Err(format!("--view {} is given twice", twice.name()));
        }
        self.belong_to(views)?;
        views.iter().map(|view| self.ways(*view)).collect()
    }

    /// Refuses a flag that belongs to none of these views.
    fn belong_to(&self, views: &[LensView]) -> Result<(), String> {
        use LensView::{Attention, Keyboard, Knockout, Occlusion, Trace};
        let belongs: [(bool, &str, &[LensView]); 14] = [
            (self.by.is_some(), "--by", &[Occlusion]),
            (self.replace, "--replace", &[Occlusion]),
            (self.position.is_some(), "--position", &[Attention, Trace]),
            (self.layer.is_some(), "--layer", &[Attention, Knockout, Trace]),
            (self.head.is_some(), "--head", &[Attention, Knockout, Trace]),
            (self.part.is_some(), "--part", &[Knockout, Trace]),
            (self.corrupt.is_some(), "--corrupt", &[Knockout, Trace]),
            (self.span.is_some(), "--span", &[Knockout, Trace]),
            (self.set.is_some(), "--set", &[Knockout]),
            (self.window.is_some(), "--window", &[Knockout]),
            (!self.edges.is_empty(), "--edge", &[Knockout]),
            (self.position.as_deref() == Some("all"), "--position all", &[Attention]),
            (self.corpus.is_some(), "--corpus", &[Keyboard]),
            (self.max_tokens.is_some(), "--max-tokens", &[Keyboard]),
        ];
        let alien = |(given, _, of): &&(bool, &str, &[LensView])| {
            *given && !of.iter().any(|view| views.contains(view))
        };
        if let Some((_, flag, of)) = belongs.iter().find(alien) {
            let of: Vec<&str> = of.iter().map(|view| view.name()).collect();
            return Err(format!("{flag} belongs to --view {}", of.join(" or ")));
        }
        if self.span.is_some() && self.corrupt.is_none() {
            return Err("--span says where other words stand: add --corrupt TEXT".to_string());
        }
        Ok(())
    }

    fn ways(&self, view: LensView) -> Result<Looking, String> {
        Ok(match view {
            LensView::Logit => Looking::Logit,
            LensView::Context => Looking::Context,
            LensView::Occlusion => Looking::Occlusion {
                by: self.by,
                instead: match self.replace {
                    true => Instead::Neutral(self.neutral.clone().into_bytes()),
                    false => Instead::Nothing,
                },
            },
            LensView::Attention => {
                let from = match self.position.as_deref() {
                    Some("all") => Positions::All,
                    _ => self.one_position()?.map_or(Positions::Last, Positions::One),
                };
                Looking::Attention(Which { from, layer: self.layer, head: self.head })
            }
            LensView::Attribution => Looking::Attribution,
            LensView::Keyboard => Looking::Keyboard(KeyboardWish {
                corpus: self.corpus.clone(),
                clicks: self.max_tokens.map_or(CLICKS, |clicks| clicks as usize),
            }),
            LensView::Knockout => Looking::Knockout(self.knockout()?),
            LensView::Trace => Looking::Trace(self.trace()?),
        })
    }

    fn one_position(&self) -> Result<Option<usize>, String> {
        let Some(text) = &self.position else { return Ok(None) };
        let number = text.parse().map_err(|_| {
            format!("--position {}: a position counted from 0 is wanted, or all", printable(text))
        });
        number.map(Some)
    }

    fn corrupted(&self) -> Option<Corrupt> {
        let text = self.corrupt.as_ref()?.clone().into_bytes();
        Some(match self.span {
            Some(span) => Corrupt::Span { tokens: span.tokens(), text },
            None => Corrupt::Text(text),
        })
    }

    fn knockout(&self) -> Result<KnockoutWish, String> {
        let set = self.set.unwrap_or(if self.corrupt.is_some() { SetTo::Corrupt } else { SetTo::Zero });
        let only = match self.part {
            None => None,
            Some(LensPart::Attention) => Some(Knocked::Attention),
            Some(LensPart::Ffn) => Some(Knocked::FeedForward),
            Some(LensPart::Head) => Some(Knocked::Head),
            Some(LensPart::Layer) => Some(Knocked::Layer),
            Some(LensPart::Edge) => Some(Knocked::Edge),
            Some(LensPart::Residual) => {
                return Err(
                    "--part residual belongs to --view trace: without it there is no model".to_string()
                );
            }
        };
        let is_heads = only.is_none_or(|only| only == Knocked::Head);
        if self.corrupt.is_some() && set != SetTo::Corrupt {
            return Err(format!("--corrupt says what parts are set to: leave --set {} out", set.name()));
        }
        if self.corrupt.is_none() && set == SetTo::Corrupt {
            return Err("--set corrupt takes its values from another prompt: add --corrupt TEXT".to_string());
        }
        if !self.edges.is_empty() && (self.layer.or(self.head).is_some() || self.part.is_some()) {
            return Err("--edge names its layer and head itself: FROM:TO[:LAYER[:HEAD]]".to_string());
        }
        if !self.edges.is_empty() && (self.window.is_some() || self.set.is_some() || self.corrupt.is_some()) {
            return Err("--edge is cut: leave --window, --set and --corrupt out".to_string());
        }
        if self.head.is_some() && !is_heads {
            return Err("--head belongs to --part head".to_string());
        }
        Ok(KnockoutWish {
            set,
            corrupt: self.corrupted(),
            only,
            layer: self.layer,
            head: self.head,
            window: self.window.map(|window| window as usize),
            edges: self.edges.clone(),
        })
    }

    fn trace(&self) -> Result<TraceWish, String> {
        let corrupt =
            self.corrupted().ok_or_else(|| "trace compares two prompts: add --corrupt TEXT".to_string())?;
        if self.position.as_deref() == Some("all") {
            return Err("--position all belongs to --view attention".to_string());
        }
        let part = match self.part {
            None | Some(LensPart::Residual) => TracePart::Residual,
            Some(LensPart::Attention) => TracePart::Attention,
            Some(LensPart::Ffn) => TracePart::FeedForward,
            Some(LensPart::Head) => TracePart::Head,
            Some(LensPart::Layer | LensPart::Edge) => {
                return Err("trace has --part residual, attention, ffn or head".to_string());
            }
        };
        if self.head.is_some() && part != TracePart::Head {
            return Err("--head belongs to --part head".to_string());
        }
        Ok(TraceWish { corrupt, part, layer: self.layer, position: self.one_position()?, head: self.head })
    }

    /// The flags that a text begins with, and the text behind them. A value with spaces stands between
    /// double quotes.
    ///
    /// # Errors
    /// What is wrong, in one line.
    pub fn before(text: &str) -> Result<(LensFlags, &str), String> {
        let (mut words, mut rest) = (Vec::new(), text);
        while rest.trim_start().starts_with("--") {
            let (flag, after) = word(rest.trim_start())?;
            rest = after;
            let name = flag.trim_start_matches('-');
            let has_value = flag.contains('=') || !takes_value(name);
            words.push(flag);
            if !has_value && !rest.trim_start().is_empty() {
                let (value, after) = word(rest.trim_start())?;
                rest = after;
                words.push(value);
            }
        }
        let parsed =
            FlagsBefore::try_parse_from(words).map_err(|error| one_line(&error.render().to_string()))?;
        Ok((parsed.flags, rest.strip_prefix(' ').unwrap_or(rest)))
    }
}

fn takes_value(flag: &str) -> bool {
    let command = <FlagsBefore as clap::CommandFactory>::command();
    let found = command.get_arguments().find(|argument| argument.get_long() == Some(flag));
    found.is_some_and(|argument| argument.get_action().takes_values())
}

/// The first word, in double quotes where it has spaces, and what follows it.
fn word(text: &str) -> Result<(String, &str), String> {
    let (mut word, mut quoted) = (String::new(), false);
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => return Ok((word, &text[at..])),
            c => word.push(c),
        }
    }
    if quoted { Err("a quotation mark is not closed".to_string()) } else { Ok((word, "")) }
}

#[cfg(test)]
mod tests {
    use super::{LensFlags, LensView, Looking, SpanUnit};

    #[test]
    fn flags_stand_before_a_text_that_stays_as_it_is() {
        let (flags, rest) = LensFlags::before("--by token --replace --neutral \" x y\"  a --b").unwrap();
        assert_eq!((flags.by, flags.replace, flags.neutral.as_str()), (Some(SpanUnit::Token), true, " x y"));
        assert_eq!(rest, " a --b");
        assert_eq!(LensFlags::before("The text ").unwrap().1, "The text ");
        for (wrong, said) in [
            ("--by", "--by"),
            ("--by nothing a", "nothing"),
            ("--nothing a", "--nothing"),
            ("--neutral \"a", "not closed"),
            ("--neutral a b", "--replace"),
        ] {
            let error = LensFlags::before(wrong).unwrap_err();
            assert!(error.contains(said) && error.lines().count() == 1, "{wrong}: {error}");
        }
    }

    #[test]
    fn of_several_views_each_takes_its_own_flags() {
        let (flags, _) = LensFlags::before("--by token --layer 3").unwrap();
        let both = flags.lookings(&[LensView::Occlusion, LensView::Attention]).unwrap();
        assert!(matches!(&both[0], Looking::Occlusion { by: Some(SpanUnit::Token), .. }));
        assert!(matches!(&both[1], Looking::Attention(which) if which.layer == Some(3)));
        let wrong = |views: &[LensView]| flags.lookings(views).unwrap_err();
        assert_eq!(wrong(&[LensView::Logit, LensView::Attention]), "--by belongs to --view occlusion");
        assert_eq!(wrong(&[LensView::Logit, LensView::Logit]), "--view logit is given twice");
        let (all, _) = LensFlags::before("--position all --corrupt x").unwrap();
        let error = all.lookings(&[LensView::Attention, LensView::Trace]).unwrap_err();
        assert_eq!(error, "--position all belongs to --view attention");
    }

    #[test]
    fn a_flag_belongs_to_its_views() {
        let (flags, _) = LensFlags::before("--by word").unwrap();
        assert_eq!(flags.looking(LensView::Logit), Err("--by belongs to --view occlusion".to_string()));
        assert!(matches!(flags.looking(LensView::Occlusion), Ok(Looking::Occlusion { .. })));
    }
}
