//! What can be asked for by name in the message: the commands of every front, and the panes and themes of
//! this one.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

use crate::colouring::Colors;
use crate::command::{self, Argument, COMMANDS, Completion};
use crate::settings::key::SettingKey;
use crate::text::nearest;

use super::lens::tabs;
use super::pane::{PANES, Pane};
use super::theme::{self, THEMES};

/// What the screen alone can do, as the help says it.
pub const OWN: [(&str, &str); 2] =
    [("/pane", "NAME go to a pane: /pane table"), ("/theme", "NAME colour the screen anew: /theme light")];

/// Something that the screen does by itself.
#[derive(Debug, PartialEq)]
pub enum Asked {
    /// Go to a pane.
    Pane(&'static Pane),
    /// Take a theme's colours.
    Theme(String),
    /// Show a view of the lens whose question a person completes there, by its index.
    View(usize),
}

fn completion(line: String, label: &str, help: &str) -> Completion {
    Completion { line, label: label.to_string(), help: help.trim().to_string() }
}

/// Everything that can be asked for: commands, panes, themes, settings.
fn all() -> Vec<Completion> {
    let commands =
        COMMANDS.iter().map(|spec| (spec.name.to_string(), format!("{} {}", spec.usage, spec.help)));
    let own = OWN.iter().map(|(name, help)| (name.to_string(), help.to_string()));
    let named = ["/pane", "/theme"].into_iter().flat_map(|command| {
        names(command).into_iter().map(move |(name, about)| (format!("{command} {name}"), about.to_string()))
    });
    let settings =
        SettingKey::ALL.iter().map(|key| (format!("/set {}", key.name()), key.meaning().to_string()));
    let all = commands.chain(own).chain(named).chain(settings);
    all.map(|(line, help)| completion(line.clone(), &line, &help)).collect()
}

/// What fits a text, best first: its letters in that order in what would be written, or else each of its words in what
/// that does: as it stands there, or a word that begins alike and has its letters in that order.
pub fn search(text: &str) -> Vec<Completion> {
    let pattern = Pattern::parse(text, CaseMatching::Ignore, Normalization::Smart);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let words = text.split(|c: char| c.is_whitespace() || c == '-').filter(|word| !word.is_empty());
    let words: Vec<String> = words.map(str::to_lowercase).collect();
    let fits = |one: Completion| {
        let mut letters = Vec::new();
        let by_name = pattern.score(Utf32Str::new(&one.line, &mut letters), &mut matcher);
        let help = one.help.to_lowercase();
        // Short words say nothing by themselves.
        let says = |word: &&String| word.chars().count() > 2;
        let by_help = || {
            let is_there = |word: &String| help.contains(word.as_str()) || begins_alike(&help, word);
            (words.iter().any(|word| says(&word)) && words.iter().all(is_there)).then_some(0)
        };
        Some((by_name.or_else(by_help)?, one))
    };
    let mut found: Vec<(u32, Completion)> = all().into_iter().filter_map(fits).collect();
    // A stable sort: what fits equally well stays in the order of the help.
    found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    found.into_iter().map(|(_, one)| one).collect()
}

/// Whether a text has a word that begins as this one does and has its letters in this order, few of them left out.
fn begins_alike(text: &str, wanted: &str) -> bool {
    let holds = |word: &str| {
        let mut letters = word.chars();
        let in_order = wanted.chars().all(|letter| letters.any(|other| other == letter));
        word.chars().next() == wanted.chars().next()
            && in_order
            && word.chars().count() <= 2 * wanted.chars().count()
    };
    wanted.chars().count() > 2 && text.split(|c: char| !c.is_alphanumeric()).any(holds)
}

/// Whether a line says all there is to say: nothing more could follow it.
pub fn is_complete(line: &str) -> bool {
    let takes_nothing = || command::spec(line).is_some_and(|spec| spec.argument == Argument::None);
    asked(line).map_or_else(takes_nothing, |asked| asked.is_ok())
}

/// Proposals for the line being written.
pub fn complete(line: &str) -> Vec<Completion> {
    let mut found = command::complete(line);
    if line.starts_with('/') {
        let own = OWN.into_iter().filter(|(name, _)| name.starts_with(line));
        found.extend(own.map(|(name, help)| completion(name.to_string(), name, help)));
    }
    if let Some((name, written)) = line.split_once(' ') {
        let fitting = names(name).into_iter().filter(|(label, _)| label.starts_with(written));
        found.extend(fitting.map(|(label, about)| completion(format!("{name} {label}"), label, about)));
    }
    found
}

/// What may follow a command of the screen, and what each is.
fn names(command: &str) -> Vec<(&'static str, &'static str)> {
    match command {
        "/pane" => PANES.iter().map(|pane| (pane.name, pane.about)).collect(),
        "/theme" => THEMES.iter().map(|&(name, about, _)| (name, about)).collect(),
        _ => Vec::new(),
    }
}

/// What a line asks of the screen alone; `None` where it asks for nothing of the kind.
pub fn asked(line: &str) -> Option<Result<Asked, String>> {
    let words: Vec<&str> = line.split([' ', '=']).filter(|word| !word.is_empty()).collect();
    match words[..] {
        ["/pane", ref name @ ..] => Some(pane(&name.join(" ")).map(Asked::Pane)),
        // What who has learned `/set` writes.
        ["/theme", ref name @ ..] | ["/set", "theme", ref name @ ..] => {
            let name = name.join(" ");
            Some(theme::named(&name, Colors::Many).map(|_| Asked::Theme(name)))
        }
        ["/lens", name] => tabs::to_complete(name).map(|tab| Ok(Asked::View(tab))),
        _ => None,
    }
}

fn pane(name: &str) -> Result<&'static Pane, String> {
    PANES.into_iter().find(|pane| pane.name == name).ok_or_else(|| {
        let names = PANES.map(|pane| pane.name);
        let hint = nearest(name, names).map(|name| format!("did you mean {name}? "));
        format!("no pane is called {name:?}: {}there are {}", hint.unwrap_or_default(), names.join(", "))
    })
}
