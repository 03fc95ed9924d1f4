//! What the program answers here and elsewhere, compared.

use std::process::Output;

use serde_json::Value;

use super::program::command;

pub fn run(args: &[&str]) -> Output {
    command(args).output().unwrap()
}

/// The objects that it prints.
pub fn lines(args: &[&str]) -> Vec<Value> {
    let output = run(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Everything in two answers is the same but for the fields that say where it was computed; numbers within this
/// rounding, relative to those above 1.
pub struct Alike<'a> {
    pub but: &'a [&'a str],
    pub within: f64,
}

impl Alike<'_> {
    pub fn same(&self, here: &Value, there: &Value, place: &str) {
        match (here, there) {
            (Value::Object(here), Value::Object(there)) => {
                for (name, value) in here.iter().filter(|(name, _)| !self.but.contains(&name.as_str())) {
                    let other = there.get(name).unwrap_or_else(|| panic!("{place}/{name} is missing"));
                    self.same(value, other, &format!("{place}/{name}"));
                }
            }
            (Value::Array(here), Value::Array(there)) => self.all(here, there, place),
            (Value::Number(here), Value::Number(there)) => {
                let (here, there) = (here.as_f64().unwrap(), there.as_f64().unwrap());
                assert!(
                    (here - there).abs() <= self.within * here.abs().max(1.0),
                    "{place}: {here} and {there}"
                );
            }
            _ => assert_eq!(here, there, "{place}"),
        }
    }

    pub fn all(&self, here: &[Value], there: &[Value], place: &str) {
        assert_eq!(here.len(), there.len(), "{place}");
        for (i, (here, there)) in here.iter().zip(there).enumerate() {
            self.same(here, there, &format!("{place}/{i}"));
        }
    }
}
