//! Jinja as Python has it: the language of chat templates, probe suites and lm-evaluation-harness
//! tasks.
//!
//! Owns the environments (syntax, undefined values, filters, methods, limits) and turns the engine's
//! errors into one line with template, line, column and an excerpt. Knows nothing of messages, models
//! or probes. A template may come from anywhere, a downloaded GGUF included: rendering is bounded in
//! time and memory and never panics.

pub(crate) mod arguments;
mod checks;
mod clock;
mod depth;
mod dict;
mod error;
mod filters;
mod generator;
pub mod json;
mod methods;
mod numbers;
mod operators;
pub(crate) mod pattern;
pub mod python;
mod rewrite;
mod source;
mod strings;
mod text_filters;
mod tokens;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior};

pub use clock::Clock;
pub use dict::from_json;
pub use error::{ErrorKind, TemplateError};
pub use minijinja::Value;

use std::collections::BTreeSet;

use source::Source;
use tokens::{Kind, Tag};

/// Work a template may do, in the engine's unit: one instruction, or 64 bytes made or looked at. A
/// conversation that fills a context of a million tokens needs a tenth of it.
const FUEL: u64 = 4_000_000;

/// Nested calls of macros and loops that call themselves.
const RECURSION: usize = 200;

/// Whose habits an environment follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Chat templates, as transformers renders them: a newline after a block tag and the space before
    /// one on its line are no text, undefined values print nothing, values can't be changed.
    Chat,
    /// lm-evaluation-harness tasks: white space as written, a final newline kept, undefined values
    /// are errors.
    Harness,
    /// Probe suites: as [`Dialect::Harness`], with the `tojson` of chat templates.
    Suite,
}

/// Compiles templates and expressions of one dialect.
#[derive(Clone, Debug)]
pub struct Jinja {
    environment: Environment<'static>,
    dialect: Dialect,
}

impl Jinja {
    /// An environment whose `strftime_now` reads the machine's clock.
    pub fn new(dialect: Dialect) -> Jinja {
        Jinja::with_clock(dialect, Clock::Local)
    }

    /// An environment with a clock of one's own.
    pub fn with_clock(dialect: Dialect, clock: Clock) -> Jinja {
        let mut environment = Environment::new();
        let chat = dialect == Dialect::Chat;
        let syntax = SyntaxConfig::builder()
            .trim_blocks(chat)
            .lstrip_blocks(chat)
            .keep_trailing_newline(!chat)
            .build();
        if let Ok(syntax) = syntax {
            environment.set_syntax(syntax);
        }
        environment.set_undefined_behavior(if chat {
            UndefinedBehavior::Lenient
        } else {
            UndefinedBehavior::Strict
        });
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_debug(true);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(RECURSION);
        environment.set_unknown_method_callback(methods::call);
        environment.set_formatter(move |out, _, value| {
            if dialect == Dialect::Suite && value.is_none() {
                // Python would write "None" into the question, which nobody means.
                let reason = "there is no value here (null)";
                return Err(minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, reason));
            }
            out.write_str(&python::str(value)?).map_err(minijinja::Error::from)
        });
        filters::install(&mut environment, dialect);
        operators::install(&mut environment);
        checks::install(&mut environment);
        if dialect != Dialect::Harness {
            clock::install(&mut environment, clock);
            error::install(&mut environment);
        }
        Jinja { environment, dialect }
    }

    /// Makes a value or function known to every template compiled from here on.
    pub fn add_global(&mut self, name: &str, value: Value) {
        self.environment.add_global(name.to_string(), value);
    }

    /// Compiles a template. The name is the one its errors carry.
    pub fn template(&self, name: &str, text: &str) -> Result<Template, TemplateError> {
        let source = Source::template(text, self.dialect);
        self.bound(name, &source, false)?;
        let mut environment = self.environment.clone();
        environment
            .add_template_owned(name.to_string(), source.compiled.clone())
            .map_err(|error| TemplateError::new(name, &source, &error))?;
        Ok(Template { name: name.to_string(), source, environment })
    }

    /// Compiles a lone expression, for its value instead of its text.
    pub fn expression(&self, name: &str, text: &str) -> Result<Expression, TemplateError> {
        let source = Source::expression(text);
        self.bound(name, &source, true)?;
        self.environment
            .compile_expression_owned(source.compiled.clone())
            .map_err(|error| TemplateError::new(name, &source, &error))?;
        Ok(Expression { name: name.to_string(), source, environment: self.environment.clone() })
    }

    /// Refuses what the engine can't parse without running out of stack.
    fn bound(&self, name: &str, source: &Source, is_expression: bool) -> Result<(), TemplateError> {
        match depth::too_deep(&self.environment, &source.compiled, is_expression) {
            Some(place) => Err(TemplateError::too_deep(name, source, place)),
            None => Ok(()),
        }
    }
}

/// A compiled template with the environment it runs in.
#[derive(Clone, Debug)]
pub struct Template {
    name: String,
    source: Source,
    environment: Environment<'static>,
}

impl Template {
    /// The template as its author wrote it, newlines unified.
    pub fn text(&self) -> &str {
        &self.source.written
    }

    /// The variables that must come from outside.
    pub fn variables(&self) -> BTreeSet<String> {
        let names =
            self.environment.get_template(&self.name).map(|template| template.undeclared_variables(false));
        from_outside(&self.environment, names.unwrap_or_default())
    }

    /// The string literals of its expressions, as they are written between their quotes.
    pub fn literals(&self) -> Vec<&str> {
        let text = self.text();
        let all = tokens::tags(text).into_iter().flat_map(|tag| tag.tokens);
        let strings = all.filter(|token| token.kind == tokens::Kind::Text && token.range.len() > 2);
        strings.map(|token| &text[token.range.start + 1..token.range.end - 1]).collect()
    }

    /// Renders with these variables: a map from [`from_json`], `minijinja::context!` or the like.
    pub fn render(&self, variables: Value) -> Result<String, TemplateError> {
        self.environment
            .get_template(&self.name)
            .and_then(|template| template.render(dict::variables(variables)))
            .map_err(|error| TemplateError::new(&self.name, &self.source, &error))
    }
}

/// What may stand before a bracket and is no function.
const KEYWORDS: [&str; 6] = ["and", "or", "not", "in", "if", "else"];

/// One call in an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The function's name.
    pub name: String,
    /// The whole call as written.
    pub text: String,
}

fn from_outside(environment: &Environment, names: impl IntoIterator<Item = String>) -> BTreeSet<String> {
    let known: BTreeSet<&str> = environment.globals().map(|(name, _)| name).collect();
    names.into_iter().filter(|name| !known.contains(name.as_str())).collect()
}

/// A compiled expression with the environment it runs in.
#[derive(Clone, Debug)]
pub struct Expression {
    name: String,
    source: Source,
    environment: Environment<'static>,
}

impl Expression {
    /// The expression as its author wrote it.
    pub fn text(&self) -> &str {
        &self.source.written
    }

    /// The variables and functions that must come from outside.
    pub fn variables(&self) -> BTreeSet<String> {
        let names = self
            .environment
            .compile_expression(&self.source.compiled)
            .map(|expression| expression.undeclared_variables(false));
        from_outside(&self.environment, names.unwrap_or_default())
    }

    /// The function calls in it, innermost ones too, in the order they begin. Methods, filters and
    /// tests are none.
    pub fn calls(&self) -> Vec<Call> {
        let text = &self.source.written;
        let tokens = Tag::expression(text).tokens;
        let mut calls = Vec::new();
        for (i, pair) in tokens.windows(2).enumerate() {
            let [name, open] = pair else { continue };
            let free = i == 0 || ![".", "|", "is"].iter().any(|before| tokens[i - 1].is(text, before));
            let close = open.partner.and_then(|close| tokens.get(close));
            if let (Kind::Name, true, true, Some(close)) = (name.kind, free, open.is(text, "("), close)
                && !KEYWORDS.contains(&&text[name.range.clone()])
            {
                calls.push(Call {
                    name: text[name.range.clone()].to_string(),
                    text: text[name.range.start..close.range.end].to_string(),
                });
            }
        }
        calls
    }

    /// Its value with these variables.
    pub fn eval(&self, variables: Value) -> Result<Value, TemplateError> {
        self.environment
            .compile_expression(&self.source.compiled)
            .and_then(|expression| expression.eval(dict::variables(variables)))
            .map_err(|error| TemplateError::new(&self.name, &self.source, &error))
    }
}

#[cfg(test)]
mod tests;
