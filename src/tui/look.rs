//! Keys and colours as the config file has them: `[keys]` and `[theme]`, read into values, each mistake
//! with its line.

use std::collections::HashMap;
use std::str::FromStr;

use ratatui::style::Color;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::colouring::{Colors, LEVELS};
use crate::settings::{ConfigFile, SettingsError};
use crate::text::nearest;

use super::keys::{KeyAction, KeyPress, Keymap, Scope, actions};
use super::pane::{MESSAGE, PANES, named};
use super::theme::{self, THEMES, Theme, nearest_of_sixteen};

/// Keys and colours.
#[derive(Clone, Debug)]
pub struct Appearance {
    /// Which key asks for what.
    pub keymap: Keymap,
    /// The theme that `[theme]` names.
    pub theme: String,
    /// Its colours that are other ones.
    colors: Vec<(Colored, Color)>,
    /// How many colours the terminal has.
    terminal: Colors,
}

/// What `[theme]` can colour: a field of [`Theme`], or a level of its scale.
#[derive(Clone, Copy, Debug)]
enum Colored {
    Accent,
    Model,
    Error,
    Warning,
    Bar,
    Level(usize),
}

/// A place in the file, and what is wrong there.
type Mistake = (usize, String);

type TomlValue<'a> = Spanned<DeValue<'a>>;

impl Default for Appearance {
    fn default() -> Appearance {
        let theme = THEMES[0].0.to_string();
        Appearance { keymap: Keymap::default(), theme, colors: Vec::new(), terminal: Colors::Many }
    }
}

impl Appearance {
    /// What a config file says.
    ///
    /// # Errors
    /// With the line of what is wrong, and what would be right.
    pub fn of(file: &ConfigFile) -> Result<Appearance, SettingsError> {
        let mut look = Appearance::default();
        look.read(file.text()).map_err(|(at, message)| file.wrong(at, &message))?;
        Ok(look)
    }

    /// The same on a terminal with so many colours.
    pub fn on(self, terminal: Colors) -> Appearance {
        Appearance { terminal, ..self }
    }

    fn read(&mut self, text: &str) -> Result<(), Mistake> {
        let whole =
            |error: toml::de::Error| (error.span().map_or(0, |span| span.start), error.message().to_string());
        let file = DeTable::parse(text).map_err(whole)?;
        let section = |name| {
            file.get_ref().get(name).and_then(|value| Some((value.span().start, value.get_ref().as_table()?)))
        };
        if let Some((at, keys)) = section("keys") {
            self.read_keys(keys)?;
            let leaves = |action| self.keymap.spelled(&MESSAGE, action).is_some();
            if !leaves(KeyAction::Stop) && !leaves(KeyAction::Quit) {
                return Err((at, "no key of the message stops or leaves any more".to_string()));
            }
        }
        if let Some((_, theme)) = section("theme") {
            self.read_theme(theme)?;
        }
        Ok(())
    }

    fn read_keys(&mut self, table: &DeTable) -> Result<(), Mistake> {
        let mut everywhere = Vec::new();
        let mut sections = Vec::new();
        for (name, value) in table {
            match value.get_ref().as_table() {
                Some(section) => sections.push((scope(name)?, section)),
                None => everywhere.push((name, value)),
            }
        }
        self.bind(Scope::Everywhere, everywhere)?;
        // The keys of one pane are nearer than those of all.
        sections.sort_by_key(|(scope, _)| !matches!(scope, Scope::Reading));
        sections.into_iter().try_for_each(|(scope, section)| self.bind(scope, section))
    }

    fn bind<'a: 'b, 'b>(
        &mut self,
        scope: Scope,
        table: impl IntoIterator<Item = (&'b Spanned<std::borrow::Cow<'a, str>>, &'b TomlValue<'a>)>,
    ) -> Result<(), Mistake> {
        let mut bound: HashMap<KeyPress, &str> = HashMap::new();
        for (name, value) in table {
            let at = name.span().start;
            let key = KeyPress::parse(name.get_ref()).map_err(|message| (at, message))?;
            let action = action(value)?;
            if let Some(before) = bound.insert(key, name.get_ref()) {
                return Err((
                    at,
                    format!("{:?} is used twice: it is the same key as {before:?}", name.get_ref()),
                ));
            }
            let is_message = matches!(scope, Scope::Pane(pane) if *pane == MESSAGE);
            if action.is_some() && key.written().is_some() && (is_message || scope == Scope::Everywhere) {
                let hint = "bind it in [keys.panes] or in a pane's own section, or write it after alt-";
                return Err((at, format!("{:?} is text in the message: {hint}", name.get_ref())));
            }
            self.keymap.bind(scope, key, action);
        }
        Ok(())
    }

    fn read_theme(&mut self, table: &DeTable) -> Result<(), Mistake> {
        for (field, value) in table {
            let role = match field.get_ref().as_ref() {
                "name" => {
                    let name = text(value, "a theme's name in quotes is wanted")?;
                    theme::named(name, Colors::Many).map_err(|message| (value.span().start, message))?;
                    self.theme = name.to_string();
                    continue;
                }
                "scale" => {
                    self.read_scale(value)?;
                    continue;
                }
                "accent" => Colored::Accent,
                "model" => Colored::Model,
                "error" => Colored::Error,
                "warning" => Colored::Warning,
                "bar" => Colored::Bar,
                other => {
                    const FIELDS: [&str; 7] = ["name", "accent", "model", "error", "warning", "bar", "scale"];
                    let at = field.span().start;
                    return Err((at, unknown("nothing of a theme", other, &FIELDS)));
                }
            };
            self.colors.push((role, color(value)?));
        }
        Ok(())
    }

    fn read_scale(&mut self, value: &TomlValue) -> Result<(), Mistake> {
        let wrong =
            || (value.span().start, format!("{LEVELS} colours are wanted, from expected to surprising"));
        let colors = value.get_ref().as_array().filter(|colors| colors.len() == LEVELS).ok_or_else(wrong)?;
        for (level, value) in colors.iter().enumerate() {
            self.colors.push((Colored::Level(level), color(value)?));
        }
        Ok(())
    }

    /// The colours of a theme on this terminal: those of the file for the one it names.
    ///
    /// # Errors
    /// That there is no such theme.
    pub fn theme(&self, name: &str) -> Result<Theme, String> {
        let mut theme = theme::named(name, self.terminal)?;
        let own = self.colors.iter().filter(|_| name == self.theme && self.terminal != Colors::None);
        for &(role, color) in own {
            let color = if self.terminal == Colors::Many { color } else { nearest_of_sixteen(color) };
            match role {
                Colored::Accent => theme.accent = color,
                Colored::Model => theme.model = color,
                Colored::Error => theme.error = color,
                Colored::Warning => theme.warning = color,
                Colored::Bar => theme.bar = color,
                Colored::Level(level) => theme.scale[level] = color,
            }
        }
        Ok(theme)
    }
}

fn unknown(what: &str, name: &str, names: &[&str]) -> String {
    let hint = nearest(name, names.iter().copied()).map(|name| format!("did you mean {name}? "));
    format!("{what} is called {name:?}: {}there are {}", hint.unwrap_or_default(), names.join(", "))
}

fn scope(name: &Spanned<std::borrow::Cow<str>>) -> Result<Scope, Mistake> {
    match name.get_ref().as_ref() {
        "panes" => Ok(Scope::Reading),
        pane => named(pane).map(Scope::Pane).ok_or_else(|| {
            let names: Vec<&str> =
                ["panes"].into_iter().chain(PANES.into_iter().map(|pane| pane.name)).collect();
            (name.span().start, unknown("no section of keys", pane, &names))
        }),
    }
}

fn text<'a>(value: &'a TomlValue, wanted: &str) -> Result<&'a str, Mistake> {
    value.get_ref().as_str().ok_or_else(|| (value.span().start, wanted.to_string()))
}

/// What a key shall ask for; `none` is nothing.
fn action(value: &TomlValue) -> Result<Option<KeyAction>, Mistake> {
    let name = text(value, "an action in quotes is wanted, or \"none\"")?;
    if name == "none" {
        return Ok(None);
    }
    let found = actions().find(|(other, _)| *other == name);
    found.map(|(_, action)| Some(action)).ok_or_else(|| {
        let names: Vec<&str> = ["none"].into_iter().chain(actions().map(|(name, _)| name)).collect();
        (value.span().start, unknown("no action", name, &names))
    })
}

fn color(value: &TomlValue) -> Result<Color, Mistake> {
    const WANTED: &str =
        "a name such as bright-blue or default, a number from 0 to 255, or #rrggbb is wanted";
    let number = value.get_ref().as_integer().map(|number| number.as_str().to_string());
    let written = number.as_deref().or(value.get_ref().as_str());
    let read = |written: &str| match written {
        "default" => Some(Color::Reset),
        other => Color::from_str(other).ok(),
    };
    written.and_then(read).ok_or_else(|| {
        let written =
            written.map_or_else(String::new, |written| format!("no colour is called {written:?}: "));
        (value.span().start, format!("{written}{WANTED}"))
    })
}

#[cfg(test)]
mod tests;
