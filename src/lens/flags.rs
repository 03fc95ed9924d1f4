//! The flags of a lens, the same on the command line and in a conversation, and the way of looking that they
//! ask for.

use std::path::PathBuf;

use clap::{Args, Parser, ValueEnum};

use super::Looking;
use super::attention::{Positions, Which};
use super::keyboard::KeyboardWish;
use super::occlusion::Instead;
use super::spans::SpanUnit;
use crate::text::one_line;

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
    /// With attention: from which position, counted from 0, or all, of one layer or head (default: the last)
    #[arg(long, value_name = "N|all")]
    pub position: Option<String>,
    /// With attention: this layer alone, counted from 0
    #[arg(long, value_name = "N")]
    pub layer: Option<usize>,
    /// With attention: this head alone, counted from 0
    #[arg(long, value_name = "N")]
    pub head: Option<usize>,
    /// With keyboard: count this text instead of the one that comes with the program
    #[arg(long, value_name = "FILE")]
    pub corpus: Option<PathBuf>,
    /// With keyboard: how often the first suggestion is taken (default: 16)
    #[arg(long, short = 'n', value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_tokens: Option<u32>,
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
        use LensView::{Attention, Keyboard, Occlusion};
        let belongs = [
            (self.by.is_some(), "--by", [Occlusion]),
            (self.replace, "--replace", [Occlusion]),
            (self.position.is_some(), "--position", [Attention]),
            (self.layer.is_some(), "--layer", [Attention]),
            (self.head.is_some(), "--head", [Attention]),
            (self.corpus.is_some(), "--corpus", [Keyboard]),
            (self.max_tokens.is_some(), "--max-tokens", [Keyboard]),
        ];
        if let Some((_, flag, of)) = belongs.iter().find(|(given, _, of)| *given && !of.contains(&view)) {
            let of: Vec<&str> = of.iter().map(|view| view.name()).collect();
            return Err(format!("{flag} belongs to --view {}", of.join(" or ")));
        }
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
                    None => Positions::Last,
                    Some("all") => Positions::All,
                    Some(text) => Positions::One(text.parse().map_err(|_| {
                        let text = crate::token::printable(text);
                        format!("--position {text}: a position counted from 0 is wanted, or all")
                    })?),
                };
                Looking::Attention(Which { from, layer: self.layer, head: self.head })
            }
            LensView::Attribution => Looking::Attribution,
            LensView::Keyboard => Looking::Keyboard(KeyboardWish {
                corpus: self.corpus.clone(),
                clicks: self.max_tokens.map_or(CLICKS, |clicks| clicks as usize),
            }),
        })
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
    fn a_flag_belongs_to_its_views() {
        let (flags, _) = LensFlags::before("--by word").unwrap();
        assert_eq!(flags.looking(LensView::Logit), Err("--by belongs to --view occlusion".to_string()));
        assert!(matches!(flags.looking(LensView::Occlusion), Ok(Looking::Occlusion { .. })));
    }
}
