//! Expectations: Jinja expressions about probabilities, true or false.
//!
//! Judged in two phases. First every call in the expression is evaluated alone, only to learn what it
//! needs from the model ([`Expectation::asks`]); when all of that is known, the expression is evaluated
//! with the numbers ([`Expectation::judge`]). So what an expression may ask never depends on what the
//! model said.

mod call;
pub mod quantity;

use std::sync::{Arc, Mutex};

use indexmap::{IndexMap, IndexSet};
use minijinja::value::Rest;
use minijinja::{Error, State, Value};

use super::error::meant;
use super::question::{Ask, Questions};
use super::verdict::Verdict;
use crate::jinja::{Expression, Jinja, TemplateError, pattern, python};
use call::FUNCTIONS;
pub use quantity::Evidence;
use quantity::Quantity;

/// The function that is no measurement: `matches(text, pattern)`.
const MATCHES: &str = "matches";
/// Functions of the language itself.
const BUILT_IN: [&str; 3] = ["range", "dict", "namespace"];

/// An expression that has been compiled, with each of its measuring calls alone.
#[derive(Debug)]
pub struct Condition {
    expression: Expression,
    calls: Vec<Expression>,
}

/// Something that must hold for an item.
#[derive(Clone, Debug)]
pub struct Expectation {
    condition: Arc<Condition>,
    variables: IndexMap<String, Value>,
    needs: Needs,
    informational: bool,
}

/// What an expectation needs.
#[derive(Clone, Debug, Default)]
struct Needs {
    asks: IndexSet<Ask>,
    /// Models it names.
    models: IndexSet<String>,
    /// What it measures, as it is written.
    calls: IndexSet<String>,
}

/// Something that must hold for the figures of a suite.
#[derive(Clone, Debug)]
pub struct Limit {
    expression: Expression,
}

/// Whether a name is a function that expectations have.
fn is_known(name: &str) -> bool {
    FUNCTIONS.contains(&name) || name == MATCHES || BUILT_IN.contains(&name)
}

fn names() -> impl Iterator<Item = &'static str> + Clone {
    FUNCTIONS.into_iter().chain([MATCHES])
}

impl Condition {
    /// Compiles an expression.
    ///
    /// # Errors
    /// What does not compile or calls what does not exist.
    pub fn new(jinja: &Jinja, text: &str) -> Result<Condition, String> {
        let expression = compile(jinja, text)?;
        let measuring = expression.calls().into_iter().filter(|call| FUNCTIONS.contains(&call.name.as_str()));
        let calls = measuring.map(|call| compile(jinja, &call.text)).collect::<Result<_, _>>()?;
        Ok(Condition { expression, calls })
    }
}

impl Expectation {
    /// Finds out what a condition needs for one item. `variables` are those of the item's templates.
    ///
    /// # Errors
    /// What asks for something that the item has not, or has no sense.
    pub fn bind(
        condition: &Arc<Condition>,
        variables: IndexMap<String, Value>,
        questions: &Arc<Questions>,
    ) -> Result<Expectation, String> {
        let text = condition.expression.text();
        let functions = FUNCTIONS.iter().copied().chain([MATCHES]);
        let known =
            |name: &String| variables.contains_key(name) || functions.clone().any(|known| known == name);
        if let Some(unknown) = condition.expression.variables().iter().find(|name| !known(name)) {
            let names = variables.keys().map(String::as_str).chain(functions.clone());
            return Err(format!("`{text}`: there is no variable {unknown}; {}", meant(unknown, names)));
        }
        let wanted = Arc::default();
        let scope = with_functions(&variables, &recorder(questions, &wanted));
        for call in &condition.calls {
            call.eval(scope.clone()).map_err(|error| explain(&error, text))?;
        }
        let tried = condition.expression.eval(scope).map_err(|error| explain(&error, text))?;
        read_truth(&tried).map_err(|_| format!("`{text}`: {NO_TRUTH}"))?;
        let needs = wanted.lock().map(|wanted| wanted.clone()).unwrap_or_default();
        Ok(Expectation { condition: Arc::clone(condition), variables, needs, informational: false })
    }

    /// Whether it is only reported.
    pub fn is_informational(&self) -> bool {
        self.informational
    }

    /// The same; where it is informational it is judged and reported, and nothing fails by it.
    pub fn informational(self, informational: bool) -> Expectation {
        Expectation { informational, ..self }
    }

    /// The expression.
    pub fn text(&self) -> &str {
        self.condition.expression.text()
    }

    /// What has to be found out for it.
    pub fn asks(&self) -> impl Iterator<Item = &Ask> {
        self.needs.asks.iter()
    }

    /// The models whose answers it compares.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        self.needs.models.iter().map(String::as_str)
    }

    /// Evaluates it. Where one question is put in several ways it must hold for each of them.
    pub fn judge(&self, view: &Evidence) -> Verdict {
        let phrasings = view.questions.phrasings().max(1);
        let mut last = None;
        for prompt in 0..phrasings {
            let mut verdict = self.judge_one(view, prompt);
            if phrasings > 1 && !verdict.passed {
                verdict.found = format!("phrasing {}: {}", prompt + 1, verdict.found);
                return verdict;
            }
            last = Some(verdict);
        }
        last.unwrap_or_else(|| self.judge_one(view, 0))
    }

    fn judge_one(&self, view: &Evidence, prompt: usize) -> Verdict {
        let log = Arc::new(Mutex::new(IndexSet::new()));
        let scope = with_functions(&self.variables, &calculator(view, prompt, &log));
        let outcome = self.condition.expression.eval(scope);
        let mut found: Vec<String> = log.lock().map(|log| log.iter().cloned().collect()).unwrap_or_default();
        let passed = match outcome {
            Ok(value) => read_truth(&value).unwrap_or_else(|reason| {
                found.push(reason);
                false
            }),
            Err(error) => {
                found.push(reason_of(&error));
                false
            }
        };
        Verdict {
            text: self.text().to_string(),
            passed,
            found: found.join(", "),
            informational: self.informational,
        }
    }
}

impl Limit {
    /// Compiles an expression about a suite's figures.
    ///
    /// # Errors
    /// What does not compile or names no figure that can be had.
    pub fn new(jinja: &Jinja, text: &str, figures: &[String]) -> Result<Limit, String> {
        let expression = compile(jinja, text)?;
        let names = figures.iter().map(String::as_str);
        if let Some(unknown) = expression.variables().iter().find(|name| !figures.contains(name)) {
            return Err(format!("`{text}`: there is no figure {unknown}; {}", meant(unknown, names)));
        }
        let tried = figures.iter().enumerate().map(|(i, name)| (name.as_str(), 0.437 / (i + 1) as f64));
        let tried = expression.eval(Value::from_pairs(tried)).map_err(|error| explain(&error, text))?;
        read_truth(&tried).map_err(|_| format!("`{text}`: {NO_TRUTH}"))?;
        Ok(Limit { expression })
    }

    /// Evaluates it.
    pub fn judge(&self, figures: &IndexMap<String, Option<f64>>) -> Verdict {
        let value = |figure: &Option<f64>| figure.map_or(Value::from(()), Value::from);
        let scope = figures.iter().map(|(name, figure)| (name.as_str(), value(figure)));
        let used = self.expression.variables();
        let mut found: Vec<String> = figures
            .iter()
            .filter(|(name, _)| used.contains(*name))
            .map(|(name, figure)| format!("{name} = {}", quantity::shown(*figure)))
            .collect();
        let outcome = self.expression.eval(Value::from_pairs(scope));
        let passed = outcome.map_err(|error| reason_of(&error)).and_then(|value| read_truth(&value));
        let passed = passed.unwrap_or_else(|reason| {
            found.push(reason);
            false
        });
        Verdict {
            text: self.expression.text().to_string(),
            passed,
            found: found.join(", "),
            informational: false,
        }
    }
}

fn compile(jinja: &Jinja, text: &str) -> Result<Expression, String> {
    let expression = jinja.expression("expression", text).map_err(|error| explain(&error, text))?;
    match expression.calls().iter().find(|call| !is_known(&call.name)) {
        Some(call) => {
            Err(format!("`{text}`: there is no function {}; {}", call.name, meant(&call.name, names())))
        }
        None => Ok(expression),
    }
}

/// An error with the whole expression, which is short, and its place in it.
fn explain(error: &TemplateError, text: &str) -> String {
    let place = error.column.map(|column| format!(", column {column}")).unwrap_or_default();
    format!("`{text}`{place}: {}", reason_of(error))
}

fn reason_of(error: &TemplateError) -> String {
    let reason = error.reason.as_str();
    reason.strip_prefix("invalid operation: ").unwrap_or(reason).to_string()
}

/// What is wrong with an expression that gives a number or a text.
const NO_TRUTH: &str = "the expression is neither true nor false: compare it with something";

fn read_truth(value: &Value) -> Result<bool, String> {
    bool::try_from(value.clone())
        .map_err(|_| format!("{NO_TRUTH} (it is {})", python::repr(value).unwrap_or_default()))
}

/// What one call gives.
type Function = Arc<dyn Fn(&str, Quantity) -> Result<Value, Error> + Send + Sync>;

/// The functions of a phase: how arguments are read, and what is done with them.
struct Phase {
    questions: Arc<Questions>,
    function: Function,
}

/// First phase: remembers what is needed and gives plausible values.
fn recorder(questions: &Arc<Questions>, wanted: &Arc<Mutex<Needs>>) -> Phase {
    let (shared, wanted) = (Arc::clone(questions), Arc::clone(wanted));
    let function: Function = Arc::new(move |call, quantity| {
        let mut place = 0;
        if let Ok(mut wanted) = wanted.lock() {
            wanted.asks.extend(quantity.asks(&shared));
            wanted.models.extend(quantity.models().map(str::to_string));
            place = wanted.calls.insert_full(call.to_string()).0;
        }
        Ok(quantity.placeholder(place))
    });
    Phase { questions: Arc::clone(questions), function }
}

/// Second phase: gives the numbers and remembers them.
fn calculator(view: &Evidence, prompt: usize, log: &Arc<Mutex<IndexSet<String>>>) -> Phase {
    let (shared, log) = (view.clone(), Arc::clone(log));
    let function: Function = Arc::new(move |call, quantity| {
        let value = quantity.value(&shared, prompt).map_err(python::invalid)?;
        if let Ok(mut log) = log.lock() {
            log.insert(format!("{call} = {}", value.shown()));
        }
        Ok(value.into_value())
    });
    Phase { questions: Arc::clone(&view.questions), function }
}

/// An item's variables with the functions of a phase beside them.
fn with_functions(variables: &IndexMap<String, Value>, phase: &Phase) -> Value {
    let mut scope: IndexMap<&str, Value> =
        variables.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    for name in FUNCTIONS {
        let (questions, function) = (Arc::clone(&phase.questions), Arc::clone(&phase.function));
        let call = move |_: &State, values: Rest<Value>| -> Result<Value, Error> {
            let values = values.to_vec();
            let shown = shown_call(name, &values);
            function(&shown, Quantity::read(name, values, &questions)?)
        };
        scope.insert(name, Value::from_function(call));
    }
    scope.insert(
        MATCHES,
        Value::from_function(|text: String, wanted: String| pattern::search(&text, &wanted)),
    );
    Value::from_pairs(scope)
}

fn shown_call(name: &str, values: &[Value]) -> String {
    let shown: Vec<String> = values.iter().map(|value| python::repr(value).unwrap_or_default()).collect();
    format!("{name}({})", shown.join(", "))
}

#[cfg(test)]
mod tests;
