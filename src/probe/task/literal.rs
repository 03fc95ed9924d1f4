//! Python literals, as `ast.literal_eval` reads them: what templates render that should give a list.

use serde_json::Value;

/// Brackets in brackets that are read.
const MAX_DEPTH: usize = 64;

/// Reads a literal: text, number, `True`, `False`, `None`, list, tuple or dictionary with text keys.
/// `None` where the text is none.
pub fn parse(text: &str) -> Option<Value> {
    let mut reader = LiteralReader { rest: text.trim_start_matches([' ', '\t']), depth: 0 };
    let value = reader.value()?;
    reader.space();
    reader.rest.is_empty().then_some(value)
}

struct LiteralReader<'a> {
    rest: &'a str,
    depth: usize,
}

impl LiteralReader<'_> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn skip(&mut self, token: &str) -> bool {
        self.space();
        let found = self.rest.strip_prefix(token);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    fn value(&mut self) -> Option<Value> {
        self.space();
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let value = match self.rest.chars().next()? {
            '[' => self.items('[', ']').map(|(items, _)| Value::Array(items)),
            '(' => match self.items('(', ')')? {
                (mut items, false) if items.len() == 1 => items.pop(),
                (items, _) => Some(Value::Array(items)),
            },
            '{' => self.dictionary(),
            '\'' | '"' => self.texts(),
            'u' | 'U' if self.rest[1..].starts_with(['\'', '"']) => {
                self.rest = &self.rest[1..];
                self.texts()
            }
            _ => self.word(),
        };
        self.depth -= 1;
        value
    }

    /// The items between two brackets, and whether a comma stood among them.
    fn items(&mut self, open: char, close: char) -> Option<(Vec<Value>, bool)> {
        self.rest = self.rest.strip_prefix(open)?;
        let close = close.to_string();
        let (mut items, mut comma) = (Vec::new(), false);
        loop {
            if self.skip(&close) {
                return Some((items, comma));
            }
            items.push(self.value()?);
            if self.skip(",") {
                comma = true;
            } else if !self.skip(&close) {
                return None;
            } else {
                return Some((items, comma));
            }
        }
    }

    fn dictionary(&mut self) -> Option<Value> {
        self.rest = self.rest.strip_prefix('{')?;
        let mut map = serde_json::Map::new();
        loop {
            if self.skip("}") {
                return Some(Value::Object(map));
            }
            let Value::String(key) = self.value()? else { return None };
            if !self.skip(":") {
                return None;
            }
            map.insert(key, self.value()?);
            if !self.skip(",") {
                return self.skip("}").then_some(Value::Object(map));
            }
        }
    }

    /// One or more texts, which Python joins.
    fn texts(&mut self) -> Option<Value> {
        let mut text = self.text()?;
        loop {
            self.space();
            if !self.rest.starts_with(['\'', '"']) {
                return Some(Value::String(text));
            }
            text.push_str(&self.text()?);
        }
    }

    fn text(&mut self) -> Option<String> {
        let quote = self.rest.chars().next()?;
        let triple = quote.to_string().repeat(3);
        let end = if self.rest.starts_with(&triple) { triple } else { quote.to_string() };
        self.rest = &self.rest[end.len()..];
        let mut out = String::new();
        loop {
            if let Some(rest) = self.rest.strip_prefix(end.as_str()) {
                self.rest = rest;
                return Some(out);
            }
            let c = self.rest.chars().next()?;
            self.rest = &self.rest[c.len_utf8()..];
            match c {
                '\\' => self.escape(&mut out)?,
                '\n' if end.len() == 1 => return None,
                c => out.push(c),
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> Option<()> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        let simple = match c {
            '\n' => return Some(()),
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'a' => '\x07',
            'b' => '\x08',
            'f' => '\x0c',
            'v' => '\x0b',
            '\\' | '\'' | '"' => c,
            'x' => self.code(2)?,
            'u' => self.code(4)?,
            'U' => self.code(8)?,
            '0'..='7' => {
                let more = self.rest.chars().take(2).take_while(|c| ('0'..='7').contains(c)).count();
                let digits = format!("{c}{}", &self.rest[..more]);
                self.rest = &self.rest[more..];
                u32::from_str_radix(&digits, 8).ok().and_then(char::from_u32)?
            }
            // No escape in Python: the backslash stays.
            c => {
                out.push('\\');
                c
            }
        };
        out.push(simple);
        Some(())
    }

    fn code(&mut self, digits: usize) -> Option<char> {
        let code = u32::from_str_radix(self.rest.get(..digits)?, 16).ok()?;
        self.rest = &self.rest[digits..];
        char::from_u32(code)
    }

    fn word(&mut self) -> Option<Value> {
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_alphanumeric() && !"+-._".contains(c))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        match word {
            "True" => Some(Value::Bool(true)),
            "False" => Some(Value::Bool(false)),
            "None" => Some(Value::Null),
            _ if word.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => {
                let whole = word.parse::<i64>().ok().map(Value::from);
                whole.or_else(|| word.parse::<f64>().ok().map(Value::from))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn what_python_reads() {
        assert_eq!(parse("['a', \"it's\", 'b\\n\\u5317\\x41\\'']"), Some(json!(["a", "it's", "b\n北A'"])));
        assert_eq!(parse("(1, -2.5, None, True,)"), Some(json!([1, -2.5, null, true])));
        assert_eq!(parse("('a')"), Some(json!("a")));
        assert_eq!(parse("['a' 'b', '''x\ny''']"), Some(json!(["ab", "x\ny"])));
        assert_eq!(parse("{'k': [1], 'l': {}}"), Some(json!({"k": [1], "l": {}})));
        assert_eq!(parse(" []\n"), Some(json!([])));
    }

    #[test]
    fn what_python_refuses() {
        for text in ["", "[", "['a'", "['a\n']", "[a]", "['it's']", "['a'] x", "{1: 2}", "__import__('os')"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse(&"[".repeat(100_000)), None);
    }

    proptest! {
        #[test]
        fn what_a_template_prints_is_read_back(texts in prop::collection::vec(any::<String>(), 0..6)) {
            let value: minijinja::Value = texts.iter().map(String::as_str).collect();
            let printed = crate::jinja::python::repr(&value).unwrap();
            prop_assert_eq!(parse(&printed), Some(json!(texts)));
        }

        #[test]
        fn nothing_panics(text in any::<String>()) {
            parse(&text);
        }
    }
}
