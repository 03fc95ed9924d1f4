//! Python's operators on the engine's machine.
//!
//! The engine has no hook for operators: in Python `%` formats strings, `~` prints floats its own way, `<`
//! refuses what has no order, and a `for` refuses `None`. In a compiled program the instruction of each
//! becomes a filter under the operator's own spelling, which no template can write. Whatever is stored
//! passes through one too, which bounds what a hostile template can build.

use std::cmp::Ordering;

use minijinja::machinery::{Instruction, Instructions};
use minijinja::value::{Kwargs, Tuple, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use super::bounds::{MAX_SIZE, charge, defined, kept, too_large};
use super::generator::is_generator;
use super::python::{self, invalid};
use super::{numbers, strings};

/// Checks the size of a value that is stored.
const KEPT: &str = "=";
/// As [`KEPT`], for what a namespace is given.
const KEPT_INSIDE: &str = ".=";
/// Checks what a `for` runs over.
const EACH: &str = "for:";

/// Behind a constant, it keeps the engine from computing by its own rules while it compiles. A filter that
/// changes nothing.
pub(super) const LATER: &str = "|__";

/// Adds the functions.
pub(super) fn install(environment: &mut Environment<'static>) {
    environment.add_filter("__", |value: &Value| value.clone());
    environment.add_filter("+", add);
    environment.add_filter("*", times);
    environment.add_filter("%", numbers::percent);
    environment.add_filter("~", cat);
    environment.add_filter(EACH, each);
    environment.add_filter(KEPT, |state: &State, value: Value| kept(state, value, false));
    environment.add_filter(KEPT_INSIDE, |state: &State, value: Value| kept(state, value, true));
    environment.add_function("dict", |state: &State, value: Option<Value>, named: Kwargs| {
        kept(state, minijinja::functions::dict(value, named)?, false)
    });
    environment.add_function("namespace", namespace);
}

/// A compiled program with Python's operators in it.
pub(super) fn of_python<'a>(program: &Instructions<'a>) -> Instructions<'a> {
    let all = || (0..).map_while(|at| program.get(at));
    let mut next = 0;
    let mut places = Vec::new();
    for instruction in all() {
        places.push(next);
        next += 1 + checks(instruction).len() as u32;
    }
    places.push(next);
    let mut changed = Instructions::new(program.name(), program.source());
    for (at, instruction) in all().enumerate() {
        let (span, line) = (program.get_span(at as u32), program.get_line(at as u32));
        for new in checks(instruction).iter().cloned().chain([replaced(instruction, &places)]) {
            match (span, line.and_then(|line| u16::try_from(line).ok())) {
                (Some(span), _) => changed.add_with_span(new, span),
                (None, Some(line)) => changed.add_with_line(new, line),
                (None, None) => changed.add(new),
            };
        }
    }
    changed
}

const fn filter(name: &'static str, operands: u16) -> Instruction<'static> {
    Instruction::ApplyFilter(name, Some(operands), !0)
}

const fn test(name: &'static str) -> Instruction<'static> {
    Instruction::PerformTest(name, Some(2), !0)
}

/// What comes before an instruction.
fn checks(instruction: &Instruction) -> &'static [Instruction<'static>] {
    const STORE: &[Instruction] = &[filter(KEPT, 1)];
    const STORE_INSIDE: &[Instruction] = &[Instruction::Swap, filter(KEPT_INSIDE, 1), Instruction::Swap];
    const LOOP: &[Instruction] = &[filter(EACH, 1)];
    match instruction {
        Instruction::StoreLocal(_) => STORE,
        Instruction::SetAttr(_) => STORE_INSIDE,
        Instruction::PushLoop(_) => LOOP,
        _ => &[],
    }
}

/// What takes the place of an instruction; jumps go to the new places. A chain (`a < b < c`) stays with the
/// engine.
fn replaced<'a>(instruction: &Instruction<'a>, places: &[u32]) -> Instruction<'a> {
    let place = |at: u32| places.get(at as usize).copied().unwrap_or(at);
    match instruction {
        Instruction::Add => filter("+", 2),
        Instruction::Mul => filter("*", 2),
        Instruction::Rem => filter("%", 2),
        Instruction::StringConcat => filter("~", 2),
        Instruction::Lt => test("lt"),
        Instruction::Lte => test("le"),
        Instruction::Gt => test("gt"),
        Instruction::Gte => test("ge"),
        Instruction::In => test("in"),
        Instruction::Iterate(at) => Instruction::Iterate(place(*at)),
        Instruction::Jump(at) => Instruction::Jump(place(*at)),
        Instruction::JumpIfFalse(at) => Instruction::JumpIfFalse(place(*at)),
        Instruction::JumpIfFalseOrPop(at) => Instruction::JumpIfFalseOrPop(place(*at)),
        Instruction::JumpIfTrueOrPop(at) => Instruction::JumpIfTrueOrPop(place(*at)),
        Instruction::BuildMacro(name, at, flags) => Instruction::BuildMacro(name, place(*at), *flags),
        other => other.clone(),
    }
}

/// A namespace may hold no other: the two could hold each other.
fn namespace(state: &State, first: Option<Value>, named: Kwargs) -> Result<Value, Error> {
    let values = kept(state, minijinja::functions::dict(first, named)?, true)?;
    minijinja::functions::namespace(Some(ValueOrKwargs::from(values)))
}

fn unfit(operator: &str, left: &Value, right: &Value) -> Error {
    if left.is_undefined() || right.is_undefined() {
        return Error::new(ErrorKind::UndefinedError, format!("{operator} with an undefined value"));
    }
    invalid(format!("{operator} of a {} and a {}", left.kind(), right.kind()))
}

/// What a `for` runs over: anything but `None`.
fn each(state: &State, items: Value) -> Result<Value, Error> {
    match items {
        none if none.is_none() => Err(invalid("a loop over None; test the value first".to_string())),
        // As a list, so that the loop knows its length.
        text if text.kind() == ValueKind::String => Ok(text.try_iter()?.collect()),
        generator if is_generator(&generator) => kept(state, generator.try_iter()?.collect(), false),
        items => kept(state, items, false),
    }
}

fn add(state: &State, left: &Value, right: &Value) -> Result<Value, Error> {
    if let (Some(one), Some(other)) = (left.as_str(), right.as_str()) {
        charge(state, one.len() + other.len())?;
        if !left.is_safe() && !right.is_safe() {
            return Ok(Value::from([one, other].concat()));
        }
        // Text marked as safe escapes what it is added to, whether or not escaping is on.
        let escaped = |value: &Value, text: &str| {
            if value.is_safe() { text.to_string() } else { strings::escaped(text) }
        };
        return Ok(Value::from_safe_string(escaped(left, one) + &escaped(right, other)));
    }
    let list = |value: &Value| matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable);
    if list(left) && list(right) && left.is_tuple() == right.is_tuple() {
        let sizes = left.len().unwrap_or(0).saturating_add(right.len().unwrap_or(0));
        if sizes > MAX_SIZE {
            return Err(too_large());
        }
        let items = left.try_iter()?.chain(right.try_iter()?).collect::<Vec<_>>();
        let sum = if left.is_tuple() { Value::from(Tuple::from(items)) } else { Value::from(items) };
        return kept(state, sum, false);
    }
    numbers::add(left, right).ok_or_else(|| unfit("+", left, right))
}

fn times(state: &State, left: &Value, right: &Value) -> Result<Value, Error> {
    let repeats = |value: &Value| matches!(value.kind(), ValueKind::String | ValueKind::Seq);
    let (repeated, count) = if repeats(left) { (left, right) } else { (right, left) };
    if !repeats(repeated) {
        return numbers::times(left, right).ok_or_else(|| unfit("*", left, right));
    }
    let count = numbers::whole(count).ok_or_else(|| unfit("*", left, right))?;
    let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX);
    if let Some(text) = repeated.as_str() {
        let bytes = text.len().saturating_mul(count);
        charge(state, bytes)?;
        let text = text.repeat(if text.is_empty() { 0 } else { count });
        return Ok(if repeated.is_safe() { Value::from_safe_string(text) } else { Value::from(text) });
    }
    let items = repeated.try_iter()?.collect::<Vec<_>>();
    if items.len().saturating_mul(count) > MAX_SIZE {
        return Err(too_large());
    }
    let count = if items.is_empty() { 0 } else { count };
    let items = (0..count).flat_map(|_| items.iter().cloned()).collect::<Vec<_>>();
    let value = if repeated.is_tuple() { Value::from(Tuple::from(items)) } else { Value::from(items) };
    kept(state, value, false)
}

fn cat(state: &State, left: &Value, right: &Value) -> Result<Value, Error> {
    let mut out = String::new();
    for value in [left, right] {
        defined(state, value)?;
        charge(state, value.as_str().map_or(0, str::len))?;
        python::write_str(&mut out, value)?;
    }
    Ok(Value::from(out))
}

/// The order of two values, which only values of a kind have.
pub(super) fn compare(left: &Value, right: &Value) -> Result<Ordering, Error> {
    let number = |value: &Value| matches!(value.kind(), ValueKind::Number | ValueKind::Bool);
    let alike = match (left.kind(), right.kind()) {
        (ValueKind::String, ValueKind::String) => true,
        (ValueKind::Seq, ValueKind::Seq) => left.is_tuple() == right.is_tuple(),
        _ => number(left) && number(right),
    };
    if alike { Ok(left.cmp(right)) } else { Err(unfit("comparison", left, right)) }
}

/// `item in container`.
pub(super) fn contains(state: &State, item: &Value, container: &Value) -> Result<bool, Error> {
    defined(state, container)?;
    defined(state, item)?;
    match container.kind() {
        ValueKind::Undefined => Ok(false),
        ValueKind::String => {
            let text = container.as_str().unwrap_or_default();
            charge(state, text.len())?;
            item.as_str().map(|item| text.contains(item)).ok_or_else(|| unfit("in", item, container))
        }
        ValueKind::Map => {
            if matches!(item.kind(), ValueKind::Map) || item.kind() == ValueKind::Seq && !item.is_tuple() {
                return Err(unfit("in", item, container));
            }
            Ok(container.as_object().is_some_and(|object| object.get_value(item).is_some()))
        }
        kind if matches!(kind, ValueKind::Seq | ValueKind::Iterable) || is_generator(container) => {
            state.consume_fuel(container.len().unwrap_or(0) as u64 / 2)?;
            for candidate in container.try_iter()?.checked() {
                if candidate? == *item {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        _ => Err(unfit("in", item, container)),
    }
}
