use super::*;
use crate::session::turn::TurnId;

fn written(text: &str) -> Result<StoredSession, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("talk.json");
    std::fs::write(&path, text).unwrap();
    StoredSession::read(&path).map_err(|error| error.to_string())
}

#[test]
fn what_is_kept_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("talk.json");
    let turn = Turn::user(TurnId::default(), "北京\n");
    let stored = StoredSession::new(
        None,
        Some("be brief"),
        &[Arc::new(turn)],
        TokenSequence::new(&TokenTree::default(), 0, &InForce::default()),
    );
    stored.write(&path, Existing::Keep).unwrap();
    let back = StoredSession::read(&path).unwrap();
    assert_eq!((back.system.as_deref(), back.turns[0].content.as_str()), (Some("be brief"), "北京\n"));
    assert!(back.path().0.is_empty());
}

#[test]
fn a_file_of_version_1_is_read_with_its_log_probabilities() {
    let stored = written(
        r#"{"format":"tokenscope-conversation","version":1,"model":"m","n_vocab":9,"system":null,"turns":[
            {"role":"user","content":"hi"},
            {"role":"assistant","content":"ab","ids":[1,2],"seed":3,"logprobs":[-0.5,-0.25,-1.0]}]}"#,
    )
    .unwrap();
    let turn = Turn::restored(TurnId::default(), &stored.turns[1], true);
    let reply = turn.reply.unwrap();
    assert_eq!((reply.score.sum_logprob(), reply.score.tokens()), (-1.75, 3));
    assert_eq!((reply.finish, reply.end), (Some(FinishReason::Stop), None));
}

#[test]
fn other_files_are_named_with_line_and_column() {
    for text in ["", "{", "[1]", "{\"format\":\"x\"}"] {
        let message = written(text).unwrap_err();
        assert!(message.contains("talk.json: no conversation of tokenscope"), "{message}");
        assert!(message.contains("line"), "{message}");
    }
    let dir = tempfile::tempdir().unwrap();
    assert!(StoredSession::read(&dir.path().join("none")).unwrap_err().to_string().contains("none:"));
}

#[test]
fn what_does_not_fit_together_is_refused_with_its_place() {
    let file = |turns: &str, rest: &str| {
        let head = r#""format":"tokenscope-conversation","version":2,"model":"m","n_vocab":9,"system":null"#;
        written(&format!("{{{head},\"turns\":[{turns}]{rest}}}")).unwrap_err()
    };
    let seen = |fields: &str| {
        let fine = r#""logprob":-1.0,"rank":1,"entropy":1.0,"varentropy":1.0,"residual":0.5,"top":[]"#;
        let json = if fields.is_empty() { fine } else { fields };
        format!(r#","sequence":[{{"id":1,"typed":true,"seen":{{{json}}}}}]"#)
    };
    let cases = [
        (file(r#"{"role":"robot","content":""}"#, ""), "turn 1: its role is"),
        (file(r#"{"role":"assistant","content":"","ids":[9]}"#, ""), "id 9 is in no vocabulary of 9"),
        (file(r#"{"role":"assistant","content":"","logprobs":[2.0]}"#, ""), "turn 1: an ln p is above 0"),
        (file(r#"{"role":"user","content":"é","marks":[[1,0]]}"#, &seen("")), "turn 1: its marks"),
        (file(r#"{"role":"user","content":"e","marks":[[1,5]]}"#, &seen("")), "turn 1: its marks"),
        (file(r#"{"role":"user","content":"e","marks":[[7,0]]}"#, &seen("")), "turn 1: its marks"),
        (file("", r#","reply_start":3"#), "after the end of its 0 tokens"),
        (
            file(
                "",
                &seen(r#""logprob":-1.0,"rank":0,"entropy":1.0,"varentropy":1.0,"residual":0.5,"top":[]"#),
            ),
            "token 1 of its sequence: its rank is 0",
        ),
        (
            file(
                "",
                &seen(
                    r#""logprob":-1.0,"rank":1,"entropy":1.0,"varentropy":1.0,"residual":0.5,"top":[[99,-1.0,1,null]]"#,
                ),
            ),
            "token 1 of its sequence: a candidate",
        ),
    ];
    for (message, part) in cases {
        assert!(message.contains(part), "{message}");
    }
}
