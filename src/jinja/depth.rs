//! How deep a template is, counted before it is parsed.
//!
//! The engine's parser, compiler and destructors go down one step of the stack for every bracket, block,
//! operator, filter, attribute and `elif`, also where these only follow each other; it bounds some of
//! that, and a long chain of the rest would end the process. Counted on the engine's own tokens, so that
//! both see the same.

use minijinja::machinery::Token;

/// Steps inside one another. Python's parser gives up at 200 brackets, which is what Jinja makes of each
/// operator there.
pub(super) const MOST: usize = 200;

/// What was seen so far.
#[derive(Default)]
pub(super) struct NestingDepth {
    /// For each open block, the block itself and its `elif`s.
    blocks: Vec<usize>,
    /// Their sum.
    in_blocks: usize,
    /// Open brackets of the tag, outermost first; the tag itself is the first.
    levels: Vec<NestingLevel>,
    /// What is known of the block tag that is being read.
    tag: Tag,
}

/// One bracket's inside.
#[derive(Default)]
struct NestingLevel {
    /// Steps in the part that is being read: they may all lie around one another.
    chain: usize,
    /// The deepest bracket of that part.
    inner: usize,
    /// The deepest part so far.
    deepest: usize,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Tag {
    #[default]
    None,
    /// Its keyword comes next.
    Begins,
    /// `set`, which is a block if no value follows.
    Set,
    Other,
}

impl NestingLevel {
    fn depth(&self) -> usize {
        self.deepest.max(self.chain + self.inner)
    }
}

impl NestingDepth {
    pub(super) fn take(&mut self, token: &Token) {
        match token {
            Token::TemplateData(_) => {}
            Token::VariableStart | Token::BlockStart => {
                self.levels.clear();
                self.tag = if matches!(token, Token::BlockStart) { Tag::Begins } else { Tag::Other };
            }
            Token::VariableEnd | Token::BlockEnd => {
                if self.tag == Tag::Set {
                    self.open_block();
                }
                self.levels.clear();
                self.tag = Tag::None;
            }
            Token::Ident(word) if self.tag == Tag::Begins => self.keyword(word),
            Token::Ident("if" | "else" | "and" | "or" | "not" | "in" | "is") => self.step(),
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => {
                self.step();
                self.levels.push(NestingLevel::default());
            }
            Token::ParenClose | Token::BracketClose | Token::BraceClose => self.close(),
            Token::Comma | Token::Colon => {
                let level = self.level();
                *level = NestingLevel { deepest: level.depth(), ..NestingLevel::default() };
            }
            Token::Assign if self.tag == Tag::Set => self.tag = Tag::Other,
            Token::Plus | Token::Minus | Token::Mul | Token::Div | Token::FloorDiv | Token::Pow => {
                self.step()
            }
            Token::Mod | Token::Dot | Token::Tilde | Token::Pipe => self.step(),
            Token::Eq | Token::Ne | Token::Gt | Token::Gte | Token::Lt | Token::Lte => self.step(),
            _ => {}
        }
    }

    fn keyword(&mut self, word: &str) {
        self.tag = Tag::Other;
        match word {
            "set" => self.tag = Tag::Set,
            "elif" => {
                if let Some(block) = self.blocks.last_mut() {
                    *block += 1;
                    self.in_blocks += 1;
                }
            }
            "for" | "if" | "with" | "filter" | "block" | "macro" | "call" | "autoescape" => self.open_block(),
            _ if word.starts_with("end") => self.in_blocks -= self.blocks.pop().unwrap_or_default(),
            _ => {}
        }
    }

    fn open_block(&mut self) {
        self.blocks.push(1);
        self.in_blocks += 1;
    }

    fn level(&mut self) -> &mut NestingLevel {
        if self.levels.is_empty() {
            self.levels.push(NestingLevel::default());
        }
        let last = self.levels.len() - 1;
        &mut self.levels[last]
    }

    fn step(&mut self) {
        self.level().chain += 1;
    }

    fn close(&mut self) {
        let closed = self.level().depth();
        // The outermost is the tag's own.
        if self.levels.len() > 1 {
            self.levels.pop();
        }
        let around = self.level();
        around.inner = around.inner.max(closed);
    }

    /// The depth at the token that was last taken.
    pub(super) fn total(&self) -> usize {
        let inside = self
            .levels
            .iter()
            .rev()
            .fold(0, |inner, level| level.deepest.max(level.chain + level.inner.max(inner)));
        self.in_blocks + inside
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Clock, Dialect, ErrorKind, Jinja, from_json};

    /// Chains and nests of everything there is, `n` of each.
    fn kinds(n: usize) -> Vec<String> {
        let chain = |link: &str| format!("x{}", link.repeat(n));
        let mut kinds: Vec<String> = [
            ".a",
            "[0]",
            "[1:2]",
            "()",
            "|upper",
            "|d(1)",
            " is x",
            " is not x",
            " - x",
            " / x",
            " // x",
            " ** x",
            " * x",
            " + x",
            " % x",
            " ~ x",
            " and x",
            " or x",
            " == x",
            " < x",
            " in x",
            " not in x",
            " if x",
            " if x else x",
            ".a()",
            "[x.a]",
            "|d(x|e)",
            " is sameas x",
        ]
        .map(chain)
        .to_vec();
        for (open, close) in [("(", ")"), ("[", "]"), ("{1:", "}"), ("x(", ")"), ("x[", "]"), ("x|d(", ")")] {
            kinds.push(format!("{}x{}", open.repeat(n), close.repeat(n)));
            kinds.push(format!("{}x", open.repeat(n)));
        }
        kinds.extend(["- ", "not ", "x if x else ", "x is x "].map(|word| format!("{}x", word.repeat(n))));
        kinds.push(format!("x is sameas {}x", "-".repeat(n)));
        kinds
    }

    fn templates(n: usize) -> Vec<String> {
        let mut all: Vec<String> = kinds(n).iter().map(|kind| format!("{{{{ {kind} }}}}")).collect();
        all.extend(kinds(n).iter().map(|kind| format!("{{% set y = {kind} %}}")));
        all.extend(kinds(n).iter().map(|kind| format!("{{% for y in {kind} %}}{{% endfor %}}")));
        all.extend(kinds(n).iter().map(|kind| format!("{{% if x %}}{{% elif {kind} %}}{{% endif %}}")));
        for (block, end) in [
            ("if x", "endif"),
            ("for y in x", "endfor"),
            ("with", "endwith"),
            ("set y", "endset"),
            ("filter upper", "endfilter"),
            ("macro m()", "endmacro"),
            ("call x()", "endcall"),
        ] {
            let (open, close) = (format!("{{% {block} %}}"), format!("{{% {end} %}}"));
            all.push(format!("{}{}", open.repeat(n), close.repeat(n)));
            all.push(open.repeat(n));
        }
        all.push(format!("{{% if x %}}{}{{% endif %}}", "{% elif x %}".repeat(n)));
        all.push(format!("{{% if x %}}{}{{% endif %}}", "{% else %}{% if x %}".repeat(n)));
        all.push(format!("{{% for {}x{} in x %}}{{% endfor %}}", "(".repeat(n), ")".repeat(n)));
        all.push(format!("{{% set {}x", "(".repeat(n)));
        all.push(format!("{{% set x{} = 1 %}}", ".a".repeat(n)));
        all
    }

    /// On a thread with a small stack, whose overflow would end the tests.
    fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
        std::thread::Builder::new().stack_size(1 << 20).spawn(work).unwrap().join().unwrap();
    }

    #[test]
    fn no_chain_and_no_nest_overflows_the_stack() {
        on_a_small_stack(|| {
            for dialect in [Dialect::Chat, Dialect::Harness, Dialect::Suite] {
                let jinja = Jinja::with_clock(dialect, Clock::Fixed(0));
                for text in templates(20_000) {
                    let outcome = jinja.template("t", &text);
                    let shown: String = text.chars().take(40).collect();
                    let Err(refused) = outcome else { panic!("{shown} was taken") };
                    assert_eq!(refused.kind, ErrorKind::Limit, "{shown}: {refused}");
                    assert!(refused.to_string().len() < 300, "{refused}");
                }
                for text in kinds(20_000) {
                    let outcome = jinja.expression("e", &text);
                    let shown: String = text.chars().take(40).collect();
                    let Err(refused) = outcome else { panic!("{shown} was taken") };
                    assert_eq!(refused.kind, ErrorKind::Limit, "{shown}: {refused}");
                }
            }
        });
    }

    #[test]
    fn what_is_just_below_the_bound_is_parsed_looked_through_and_run() {
        on_a_small_stack(|| {
            for dialect in [Dialect::Chat, Dialect::Harness] {
                let jinja = Jinja::with_clock(dialect, Clock::Fixed(0));
                for n in [60, 98, 120, 148, 196, 198, 199] {
                    for text in templates(n) {
                        if let Ok(template) = jinja.template("t", &text) {
                            template.variables();
                            let _ = template.render(from_json(&json!({"x": [1]})));
                        }
                    }
                    for text in kinds(n) {
                        if let Ok(expression) = jinja.expression("e", &text) {
                            expression.variables();
                            let _ = expression.eval(from_json(&json!({"x": 1})));
                        }
                    }
                }
            }
        });
    }

    #[test]
    fn what_follows_each_other_without_going_down_has_no_bound() {
        let jinja = Jinja::with_clock(Dialect::Chat, Clock::Fixed(0));
        let render = |text: &str| {
            let template = jinja.template("t", text).unwrap();
            template.render(from_json(&json!({}))).unwrap()
        };
        assert_eq!(render(&"{{ 1 + 1 }}".repeat(2000)), "2".repeat(2000));
        assert_eq!(render(&"{% if 1 > 2 %}a{% elif 2 > 1 %}b{% endif %}".repeat(2000)), "b".repeat(2000));
        assert_eq!(render(&format!("{{{{ [{}]|length }}}}", "-1, ".repeat(2000))), "2000");
        assert_eq!(render(&format!("{{{{ ({}1) }}}}", "1 - ".repeat(150))), "-149");
        assert_eq!(render(&"{% set a = 1 %}{% set b %}x{% endset %}".repeat(500)), "");
        // An `elif` for each language of a long list.
        let languages = "{% elif 2 > 3 %}x".repeat(150);
        assert_eq!(render(&format!("{{% if 2 > 3 %}}{languages}{{% else %}}y{{% endif %}}")), "y");
    }
}
