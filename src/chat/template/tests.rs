use super::super::{Note, Rendered};
use super::*;
use crate::chat::{Message, Role};

/// Habits of published templates, one each.
const CHATML: &str = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}\
    {% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
const TRIMS: &str = "{{ bos_token }}{% for m in messages %}[{{ m['role'] }}]{{ m['content'] | trim }}{{ eos_token }}{% endfor %}";
const ALTERNATES: &str = "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}\
    {{ raise_exception('roles must alternate') }}{% endif %}[{{ m.content }}]{% endfor %}";
const LEAVES_OUT: &str = "{% for m in messages if m.role != 'system' %}[{{ m.content }}]{% endfor %}";
const FOLDS: &str = "{% if messages[0].role == 'system' %}{% set s = messages[0].content + '\n\n' %}{% set messages = messages[1:] %}\
    {% else %}{% set s = '' %}{% endif %}{% for m in messages %}[{{ (s if loop.first else '') + m.content }}]{% endfor %}";
const PARTS: &str = "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}\
    {% for p in m.content %}{% if p.type == 'text' %}{{ p.text }}{% else %}<{{ p.type }}>{% endif %}{% endfor %}{% endif %};{% endfor %}";

fn render(source: &str, messages: &[Message]) -> Result<Rendered, ChatError> {
    let template = ChatTemplate::with_clock(source, ("<s>", "</s>"), Clock::Fixed(0)).unwrap();
    template.render(&Conversation::from(messages.to_vec()), true)
}

fn turns() -> Vec<Message> {
    vec![Message::system("Be brief."), Message::user(" hi\n"), Message::assistant("yes"), Message::user("so")]
}

#[test]
fn text_is_what_the_template_writes() {
    let text = render(CHATML, &turns()[1..3]).unwrap().text;
    assert_eq!(
        text,
        "<|im_start|>user\n hi\n<|im_end|>\n<|im_start|>assistant\nyes<|im_end|>\n<|im_start|>assistant\n"
    );
    assert_eq!(render(TRIMS, &turns()[1..3]).unwrap().text, "<s>[user]hi</s>[assistant]yes</s>");
}

#[test]
fn a_refused_system_message_goes_to_the_user() {
    let rendered = render(ALTERNATES, &turns()).unwrap();
    assert_eq!(rendered.text, "[Be brief.\n\n hi\n][yes][so]");
    assert_eq!(rendered.notes, [Note::SystemFolded]);
    let rendered = render(LEAVES_OUT, &turns()).unwrap();
    assert_eq!(rendered.text, "[ hi\n][yes][so]", "what transformers renders");
    assert_eq!(rendered.notes, [Note::SystemLeftOut]);
    let rendered = render(FOLDS, &turns()).unwrap();
    assert_eq!((rendered.text.as_str(), rendered.notes.len()), ("[Be brief.\n\n hi\n][yes][so]", 0));
}

#[test]
fn other_refusals_are_one_clear_line() {
    let error = render(ALTERNATES, &[Message::user("a"), Message::user("b")]).unwrap_err();
    let line = "the chat template refuses this conversation (user, user): roles must alternate";
    assert_eq!(error.to_string(), line);
    assert!(matches!(render(ALTERNATES, &turns()[..1]), Err(ChatError::Refused { .. })));
    assert_eq!(render(CHATML, &[]).unwrap_err(), ChatError::Empty);
    let broken = ChatTemplate::new("{% for m in %}", "", "").unwrap_err();
    assert!(broken.to_string().starts_with("chat template, line 1"), "{broken}");
}

#[test]
fn null_is_what_the_template_makes_of_it() {
    let json =
        br#"[{"role": "user", "content": "Weather?"}, {"role": "assistant", "content": null, "name": null}]"#;
    let messages = Conversation::from_json(json).unwrap().messages;
    let tells = "{% for m in messages %}{{ m.content }}{{ m.name is defined }};{% endfor %}";
    let rendered = render(tells, &messages).unwrap();
    assert_eq!((rendered.text.as_str(), rendered.notes.len()), ("Weather?False;NoneTrue;", 0));
    let stumbles = "{% for m in messages %}{% if m.name is defined %}{{ 'by ' + m.name }}{% endif %}\
        {{ m.content }};{% endfor %}";
    let rendered = render(stumbles, &messages).unwrap();
    assert_eq!(
        (rendered.text.as_str(), rendered.notes.as_slice()),
        ("Weather?;;", [Note::NullsLeftOut].as_slice())
    );
}

#[test]
fn parts_reach_templates_that_know_them() {
    let parts = vec![
        json!({"type": "text", "text": "see "}),
        json!({"type": "image"}),
        json!({"type": "text", "text": "this"}),
    ];
    let message = Message { content: crate::chat::Content::Parts(parts), ..Message::user("") };
    assert_eq!(render(PARTS, std::slice::from_ref(&message)).unwrap().text, "see <image>this;");
    let rendered = render(CHATML, &[message]).unwrap();
    assert!(rendered.text.contains("user\nsee this<|im_end|>"));
    let left_out = Note::PartLeftOut { message: 0, kind: "image".to_string() };
    assert_eq!(rendered.notes, [Note::PartsJoined, left_out]);
}

#[test]
fn text_is_put_in_parts_for_templates_that_know_nothing_else() {
    let only = "{% for m in messages %}{% for p in m.content %}{% if p.type == 'text' %}[{{ p.text }}]{% endif %}{% endfor %}{% endfor %}";
    let rendered = render(only, &turns()).unwrap();
    assert_eq!(rendered.text, "[Be brief.][ hi\n][yes][so]");
    assert_eq!(rendered.notes, [Note::TextAsParts]);
    assert_eq!(render(PARTS, &turns()).unwrap().notes, []);
}

#[test]
fn reasoning_is_found_under_every_name() {
    let source = "{% for m in messages %}{{ m.reasoning_content }}|{{ m.thinking }};{% endfor %}";
    let mut message = Message::assistant("x");
    message.fields.insert("reasoning".to_string(), json!("because"));
    assert_eq!(render(source, &[message]).unwrap().text, "because|because;");
}

#[test]
fn tools_and_variables_are_seen() {
    let source = "{{ tools|tojson }}{{ documents is none }}{{ enable_thinking }}{{ tools is none }}";
    let mut conversation = Conversation::from(vec![Message::user("x")]);
    conversation.tools = Some(vec![json!({"name": "<f>", "a": 1.0})]);
    conversation.variables.insert("enable_thinking".to_string(), json!(false));
    let template = ChatTemplate::new(source, "", "").unwrap();
    let text = template.render(&conversation, false).unwrap().text;
    assert_eq!(text, r#"[{"name": "<f>", "a": 1.0}]TrueFalseFalse"#);
}

#[test]
fn a_model_without_a_template_gets_a_transcript() {
    let mut messages = turns();
    messages.push(Message::assistant(" a reply"));
    messages.push(Message::new(Role::Other("narrator".to_string()), "end"));
    let rendered = render("", &messages).unwrap();
    let text = "<s>Be brief.\n\nQuestion:  hi\n\n\nAnswer: yes\n\nQuestion: so\n\nAnswer: a reply\n\nNarrator: end\n\nAnswer:";
    assert_eq!(rendered.text, text);
    assert_eq!(rendered.notes, [Note::PlainTranscript]);
}
