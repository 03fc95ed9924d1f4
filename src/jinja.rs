//! Jinja as Python has it: the language of chat templates, probe suites and lm-evaluation-harness
//! tasks.
//!
//! Owns the environments (syntax, undefined values, filters, methods, limits) and turns the engine's
//! errors into one line with template, line, column and an excerpt. Knows nothing of messages, models
//! or probes. A template may come from anywhere, a downloaded GGUF included: rendering is bounded in
//! time and memory and never panics.

pub(crate) mod arguments;
mod bounds;
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
mod source;
mod strings;
mod text_filters;

use minijinja::machinery::{self, CodeGenerator, Span, Token, tokenize};
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

pub use clock::Clock;
pub use dict::from_json;
pub use error::{ErrorKind, TemplateError};
pub use minijinja::Value;

use std::collections::{BTreeMap, BTreeSet};

use source::TemplateSource;

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
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        // No template reaches another, or itself.
        environment.set_path_join_callback(|name, _| format!("{name} from a template").into());
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
        Jinja { environment }
    }

    /// Compiles a template. The name is the one its errors carry.
    pub fn template(&self, name: &str, text: &str) -> Result<Template, TemplateError> {
        let source = TemplateSource::new(text, self.environment.syntax(), false);
        TemplateError::bound(name, &source)?;
        let mut environment = self.environment.clone();
        environment
            .add_template_owned(name.to_string(), source.compiled.clone())
            .map_err(|error| TemplateError::new(name, &source, &error))?;
        Ok(Template { name: name.to_string(), source, environment })
    }

    /// Compiles a lone expression, for its value instead of its text.
    pub fn expression(&self, name: &str, text: &str) -> Result<Expression, TemplateError> {
        let source = TemplateSource::new(text, &SyntaxConfig::default(), true);
        TemplateError::bound(name, &source)?;
        self.environment
            .compile_expression_owned(source.compiled.clone())
            .map_err(|error| TemplateError::new(name, &source, &error))?;
        Ok(Expression { name: name.to_string(), source, environment: self.environment.clone() })
    }
}

/// A compiled template with the environment it runs in.
#[derive(Clone, Debug)]
pub struct Template {
    name: String,
    source: TemplateSource,
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
        let tokens = tokenize(text, false, self.environment.syntax().clone()).map_while(Result::ok);
        let strings = tokens.filter(|(token, _)| matches!(token, Token::Str(_) | Token::String(_)));
        let between = |span: Span| text.get(span.start_offset as usize + 1..span.end_offset as usize - 1);
        strings.filter_map(|(_, span)| between(span)).filter(|literal| !literal.is_empty()).collect()
    }

    /// Renders with these variables: a map from [`from_json`], `minijinja::context!` or the like.
    pub fn render(&self, variables: Value) -> Result<String, TemplateError> {
        self.run(variables).map_err(|error| TemplateError::new(&self.name, &self.source, &error))
    }

    fn run(&self, variables: Value) -> Result<String, minijinja::Error> {
        let template = self.environment.get_template(&self.name)?;
        let compiled = machinery::get_compiled_template(&template);
        let program = operators::of_python(&compiled.instructions);
        let blocks =
            compiled.blocks.iter().map(|(name, block)| (*name, operators::of_python(block))).collect();
        let mut text = String::with_capacity(compiled.buffer_size_hint);
        let mut out = machinery::make_string_output(&mut text);
        let variables = dict::variables(variables);
        machinery::eval(&self.environment, &program, variables, &blocks, &mut out, AutoEscape::None)?;
        Ok(text)
    }
}

/// What may stand before a bracket and is no function.
const KEYWORDS: [&str; 6] = ["and", "or", "not", "in", "if", "else"];

/// One call in an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundCall {
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
    source: TemplateSource,
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
    pub fn calls(&self) -> Vec<FoundCall> {
        let text = &self.source.written;
        let tokens = tokenize(text, true, SyntaxConfig::default()).map_while(Result::ok);
        let tokens: Vec<(Token, Span)> = tokens.collect();
        let mut calls = Vec::new();
        for (at, pair) in tokens.windows(2).enumerate() {
            let [(Token::Ident(name), span), (Token::ParenOpen, _)] = pair else { continue };
            let before = at.checked_sub(1).map(|at| &tokens[at].0);
            let free = !matches!(before, Some(Token::Dot | Token::Pipe | Token::Ident("is")));
            if let (true, false, Some(end)) = (free, KEYWORDS.contains(name), closing(&tokens[at + 1..])) {
                let text = text[span.start_offset as usize..end].to_string();
                calls.push(FoundCall { name: name.to_string(), text });
            }
        }
        calls
    }

    /// Its value with these variables.
    pub fn eval(&self, variables: Value) -> Result<Value, TemplateError> {
        self.run(variables).map_err(|error| TemplateError::new(&self.name, &self.source, &error))
    }

    fn run(&self, variables: Value) -> Result<Value, minijinja::Error> {
        let text = &self.source.compiled;
        let mut generator = CodeGenerator::new("<expression>", text);
        generator.compile_expr(&machinery::parse_expr(text)?);
        let program = operators::of_python(&generator.finish().0);
        let (variables, mut nothing) = (dict::variables(variables), String::new());
        let mut out = machinery::make_string_output(&mut nothing);
        let blocks = BTreeMap::new();
        let end =
            machinery::eval(&self.environment, &program, variables, &blocks, &mut out, AutoEscape::None)?;
        Ok(end.0.unwrap_or_default())
    }
}

/// Where the bracket closes that is the first token.
fn closing(tokens: &[(Token, Span)]) -> Option<usize> {
    let mut open = 0;
    for (token, span) in tokens {
        match token {
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => open += 1,
            Token::ParenClose | Token::BracketClose | Token::BraceClose => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(span.end_offset as usize);
        }
    }
    None
}

#[cfg(test)]
mod tests;
