//! Small things about text that many modules need: near names, widths, short forms.

/// The name nearest to what was written, if one is near enough to be meant.
pub fn nearest<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = names.into_iter().map(|name| (edit_distance(written, name), name)).min()?;
    let tolerance = written.chars().count().div_ceil(2);
    (near.0 <= tolerance).then_some(near.1)
}

/// How many characters must be inserted, deleted or replaced to get from one to the other.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// What is wrong with arguments, in one line, from how clap says it.
pub fn one_line(rendered: &str) -> String {
    let lines = rendered.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("For more information"));
    let said: Vec<&str> = lines.map(|line| line.strip_prefix("error: ").unwrap_or(line)).collect();
    said.join("; ").replace(":; ", ": ")
}

/// The line and the column of a byte, both from 1 on.
pub fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let before = &text[..at];
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

/// Gives an enum the names that people read and write: all its values, the name of each, and the value of
/// a name.
macro_rules! named {
    ($of:ident: $($value:ident $name:literal),+ $(,)?) => {
        impl $of {
            /// All of them, in order.
            pub const ALL: [$of; [$($name),+].len()] = [$($of::$value),+];

            /// Its name.
            pub fn name(self) -> &'static str {
                match self {
                    $($of::$value => $name),+
                }
            }

            /// The one of this name.
            pub fn named(name: &str) -> Option<$of> {
                $of::ALL.into_iter().find(|value| value.name() == name)
            }
        }
    };
}
pub(crate) use named;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_near_name_is_offered() {
        assert_eq!(nearest("tempp", ["top-p", "temp"]), Some("temp"));
        assert_eq!(nearest("hlep", ["help", "set"]), Some("help"));
        assert_eq!(nearest("xylophone", ["help", "set"]), None);
    }
}
