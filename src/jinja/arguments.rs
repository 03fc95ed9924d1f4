//! The arguments of one call, taken one after the other or by name, as Python binds them.

use minijinja::value::{Kwargs, Rest, ValueKind, ValueOrKwargs};
use minijinja::{Error, ErrorKind, Value};

use super::python::{self, invalid};

/// What a filter takes besides its value: anything, named or not.
pub type Tail = Rest<ValueOrKwargs>;

/// Arguments of a method or filter that are still to be read.
pub struct Arguments<'a> {
    callee: &'a str,
    values: Vec<Value>,
    positional: usize,
    named: Option<Kwargs>,
    taken: usize,
}

impl<'a> Arguments<'a> {
    /// Arguments as the engine passes them: named ones ride along as the last value.
    pub fn new(callee: &'a str, values: Vec<Value>) -> Self {
        let last = values.last().filter(|value| value.is_kwargs());
        let named = last.and_then(|value| Kwargs::try_from(value.clone()).ok());
        let positional = values.len() - usize::from(named.is_some());
        Arguments { callee, values, positional, named, taken: 0 }
    }

    /// Arguments of a filter.
    pub fn of_filter(callee: &'a str, tail: Tail) -> Self {
        Arguments::new(callee, tail.into_values())
    }

    /// All of them, as the engine passed them.
    pub fn all(&self) -> &[Value] {
        &self.values
    }

    /// The next argument, by position or by this name.
    pub fn optional(&mut self, name: &str) -> Result<Option<Value>, Error> {
        let value = self.values[..self.positional].get(self.taken).cloned();
        self.taken += 1;
        match (&value, &self.named) {
            (None, Some(named)) => named.get::<Option<Value>>(name),
            _ => Ok(value),
        }
    }

    /// The next argument, which must be there.
    pub fn required(&mut self, name: &str) -> Result<Value, Error> {
        self.optional(name)?.ok_or_else(|| {
            Error::new(ErrorKind::MissingArgument, format!("{} needs its argument {name}", self.callee))
        })
    }

    /// The next argument, which must be a string.
    pub fn text(&mut self, name: &str) -> Result<String, Error> {
        let value = self.required(name)?;
        self.as_text(name, &value)
    }

    /// The next argument as a string; `None` where it is missing or Python's `None`.
    pub fn optional_text(&mut self, name: &str) -> Result<Option<String>, Error> {
        match self.optional(name)? {
            Some(value) if !value.is_none() => self.as_text(name, &value).map(Some),
            _ => Ok(None),
        }
    }

    /// The next argument as a whole number; `None` where it is missing or Python's `None`.
    pub fn optional_int(&mut self, name: &str) -> Result<Option<i64>, Error> {
        match self.optional(name)? {
            Some(value) if !value.is_none() => match i64::try_from(value.clone()) {
                Ok(number) if value.is_integer() || value.kind() == ValueKind::Bool => Ok(Some(number)),
                _ => Err(self.wrong(name, "a whole number", &value)),
            },
            _ => Ok(None),
        }
    }

    /// The next argument as a whole number that is no truth value, which Python would take for one; `None` where
    /// it is missing or `None`.
    pub fn optional_number(&mut self, name: &str) -> Result<Option<i64>, Error> {
        let next = self.values[..self.positional].get(self.taken).cloned();
        let named = || self.named.as_ref().and_then(|named| named.peek::<Value>(name).ok());
        match next.or_else(named) {
            Some(value) if value.kind() == ValueKind::Bool => Err(self.wrong(name, "a whole number", &value)),
            _ => self.optional_int(name),
        }
    }

    /// The next argument as a truth value; `false` where it is missing.
    pub fn flag(&mut self, name: &str) -> Result<bool, Error> {
        Ok(self.optional(name)?.is_some_and(|value| value.is_true()))
    }

    /// Fails if an argument is left that nobody asked for.
    pub fn finish(self) -> Result<(), Error> {
        if self.positional > self.taken {
            return Err(Error::new(
                ErrorKind::TooManyArguments,
                format!("{} takes at most {} arguments", self.callee, self.taken),
            ));
        }
        self.named.map_or(Ok(()), |named| named.assert_all_used())
    }

    fn as_text(&self, name: &str, value: &Value) -> Result<String, Error> {
        value.as_str().map(str::to_string).ok_or_else(|| self.wrong(name, "a string", value))
    }

    fn wrong(&self, name: &str, wanted: &str, value: &Value) -> Error {
        let shown = python::repr(value).unwrap_or_default();
        let shown: String = shown.chars().take(40).collect();
        invalid(format!("{}: {name} must be {wanted}, not {shown}", self.callee))
    }
}
