//! System prompts that can be called by name, one file each in `prompts/chat`.

/// Name and text, alphabetically.
const PROMPTS: [(&str, &str); 7] = [
    ("chinese", include_str!("../../prompts/chat/chinese.md")),
    ("coder", include_str!("../../prompts/chat/coder.md")),
    ("concise", include_str!("../../prompts/chat/concise.md")),
    ("default", include_str!("../../prompts/chat/default.md")),
    ("none", ""),
    ("reason", include_str!("../../prompts/chat/reason.md")),
    ("tutor", include_str!("../../prompts/chat/tutor.md")),
];

/// The names there are, alphabetically.
pub fn names() -> impl Iterator<Item = &'static str> {
    PROMPTS.iter().map(|(name, _)| *name)
}

/// The prompt of a name, without the file's final newline; empty for `none`.
pub fn lookup(name: &str) -> Option<&'static str> {
    PROMPTS.iter().find(|(known, _)| *known == name).map(|(_, text)| text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prompt_is_short_and_there() {
        for name in names() {
            let text = lookup(name).unwrap();
            assert!(text.len() < 300, "{name}");
            assert_eq!(text.is_empty(), name == "none");
            assert_eq!(text, text.trim());
        }
        assert_eq!(lookup("nobody"), None);
        assert!(names().is_sorted());
    }
}
