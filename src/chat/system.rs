//! System prompts that can be called by name, one file each in `prompts/chat`.

use super::{ChatTemplate, Conversation, Message};

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

/// The system prompt that a template writes where a conversation has none; `None` where it writes none.
///
/// Found by rendering: what stands before a message in place of the system prompt of a conversation that
/// has one.
pub fn of_template(template: &ChatTemplate) -> Option<String> {
    const SYSTEM: &str = "SYSTEM7f3a";
    const USER: &str = "USER7f3a";
    let before_user = |messages: Vec<Message>| {
        let rendered = template.render(&Conversation::from(messages), true).ok()?;
        rendered.text.split_once(USER).map(|(before, _)| before.to_string())
    };
    let with = before_user(vec![Message::system(SYSTEM), Message::user(USER)])?;
    let without = before_user(vec![Message::user(USER)])?;
    let (head, tail) = with.split_once(SYSTEM)?;
    let own = without.strip_prefix(head)?.strip_suffix(tail)?.trim();
    (!own.is_empty()).then(|| own.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_may_have_a_system_prompt_of_its_own() {
        let of = |source: &str| of_template(&ChatTemplate::new(source, "<s>", "</s>").unwrap());
        let body = "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}";
        let own = "{% if messages[0]['role'] != 'system' %}{{ '<|system|>You are Toy.<|end|>' }}{% endif %}";
        assert_eq!(of(&format!("{own}{body}")), Some("You are Toy.".to_string()));
        assert_eq!(of(body), None);
        // One that refuses system messages gets them in the first of the user's.
        let refuses = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no') }}{% endif %}";
        assert_eq!(of(&format!("{refuses}{body}")), None);
        assert_eq!(of("{{ bos_token }}{{ messages[0]['content'] }}"), None);
    }

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
