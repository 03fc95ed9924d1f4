use super::*;

fn read(json: &str) -> Result<Conversation, String> {
    Conversation::from_json(json.as_bytes()).map_err(|error| error.to_string())
}

#[test]
fn both_forms_are_read() {
    let list = read(
        r#"[{"role": "user", "content": "hi"}, {"role": "assistant", "content": null, "tool_calls": []}]"#,
    );
    let list = list.unwrap();
    assert_eq!(list.messages[0], Message::user("hi"));
    assert_eq!(list.messages[1].content, Content::None);
    assert!(list.messages[1].fields.contains_key("tool_calls"));
    assert_eq!(list.messages[1].fields["content"], serde_json::Value::Null);
    let object = r#"{"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]}],
        "tools": [{}], "chat_template_kwargs": {"enable_thinking": false}}"#;
    let object = read(object).unwrap();
    assert_eq!(object.messages[0].text(), "ab");
    assert_eq!(object.tools.as_ref().map(Vec::len), Some(1));
    assert_eq!(object.variables["enable_thinking"], false);
}

#[test]
fn errors_name_message_and_field() {
    for (json, error) in [
        ("[{]", "not JSON: key must be a string at line 1 column 3"),
        ("3", "expected an array of messages, or an object with \"messages\", not a number"),
        ("{}", "expected an array of messages, or an object with \"messages\", not an object without it"),
        ("[]", "there is no message"),
        ("{\"messages\": {}}", "\"messages\" must be an array, not an object"),
        (
            "{\"messages\": [], \"tool\": 1}",
            "unknown field \"tool\"; expected \"messages\", \"tools\" or \"chat_template_kwargs\"",
        ),
        (
            "[{\"role\": \"user\"}, 5]",
            "message 2: expected an object with \"role\" and \"content\", not a number",
        ),
        ("[{\"content\": \"x\"}]", "message 1: there is no \"role\""),
        ("[{\"role\": 1}]", "message 1: \"role\" must be a string, not a number"),
        (
            "[{\"role\": \"user\", \"content\": 1}]",
            "message 1: \"content\" must be a string or an array of parts, not a number",
        ),
        (
            "[{\"role\": \"user\", \"content\": [\"x\"]}]",
            "message 1: part 1 of \"content\" must be an object with a \"type\", not a string",
        ),
        (
            "[{\"role\": \"user\", \"content\": [{\"type\": \"text\"}]}]",
            "message 1: part 1 of \"content\" is of type text but has no \"text\" string",
        ),
        (
            "[{\"role\": \"user\", \"content\": [{\"text\": \"x\"}]}]",
            "message 1: part 1 of \"content\" has no \"type\"",
        ),
    ] {
        assert_eq!(read(json).unwrap_err(), error);
    }
}

#[test]
fn roles_keep_their_names() {
    for name in ["system", "user", "assistant", "tool", "developer"] {
        assert_eq!(Role::from(name).name(), name);
    }
}
