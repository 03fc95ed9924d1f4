use proptest::prelude::*;

use super::*;

fn fault(source: &str) -> String {
    check(source).unwrap_err().to_string()
}

#[test]
fn grammars_people_write_are_taken() {
    for source in [
        "root ::= \"yes\" | \"no\"",
        "# a comment\nroot ::= item+ # another\nitem ::= [a-zA-Z0-9_]{1,3} ws\nws ::= [ \\t\\n]*\n",
        "root ::= (\n  \"a\" |\n  \"b\"\n) \".\"?",
        "root ::= <|im_end|> | !<[2]> .",
        "root ::= \"\\u4e00\\x41\\\"\" [^\\]\\-]* [a-]",
        "root ::= \"\"",
        "root ::= expr\nexpr ::= term (\"+\" term)*\nterm ::= [0-9]+ | \"(\" expr \")\"\r\n",
        "root ::= (\"a\"? | \"\"){0,5} \".\"",
        "root ::= \"a\"{2000} \"b\"{0,} \"c\"{3,5000}",
        // Something that may be empty before a rule is no loop by itself.
        "root ::= ws root2\nws ::= \" \"*\nroot2 ::= \"a\" root2 | \"\"",
    ] {
        assert_eq!(check(source), Ok(()), "{source}");
    }
}

#[test]
fn faults_have_a_place_and_say_what_would_be_right() {
    for (source, expected) in [
        ("", "1:1: there is no rule"),
        ("# nothing\n", "1:1: there is no rule"),
        ("start ::= \"a\"", "1:1: no rule is named root"),
        ("root ::= item", "1:10: no rule is named item"),
        ("root = \"a\"", "1:6: ::= must follow the rule's name root"),
        ("root ::= \"a\"\n  x_y ::= \"b\"", "2:4: ::= must follow the rule's name x"),
        ("root ::= \"a\n", "1:10: this is never closed"),
        ("root ::= [a", "1:10: this is never closed"),
        ("root ::= (\"a\"\n", "1:10: this ( is never closed"),
        ("root ::= (\"a\" ]", "1:15: this can't stand in a group"),
        ("root ::= \"a\" )", "1:14: this can't stand here"),
        ("root ::= \"\\q\"", "1:11: no such escape"),
        ("root ::= \"\\x4\"", "1:11: 2 hexadecimal digits must follow"),
        ("root ::= *", "1:10: there is nothing before this to repeat"),
        ("root ::= \"a\"{5,2}", "1:13: the most must not be less than the least"),
        ("root ::= \"a\"{x}", "1:13: a repetition is written"),
        ("root ::= \"a\"{2001}", "1:13: this repeats too much"),
        ("root ::= (\"a\"{0,50}){50}", "1:21: this repeats too much"),
        ("root ::= <x", "1:10: this < is never closed"),
        ("root ::= <[x]>", "1:10: a token's number"),
        ("root ::= !x", "1:11: a token must follow the !"),
        ("root ::= \"a\u{0}\"", "1:12: a grammar holds no NUL"),
        ("北 ::= \"a\"", "1:1: here a rule must begin"),
        ("root ::= [az-a]", "1:12: this range ends before it begins"),
        ("root ::= [\\x7a-\\n]", "1:11: this range ends before it begins"),
        ("root ::= \"a\"\nroot ::= \"b\"", "2:1: the rule root is defined twice"),
        ("root ::= \"\\uD800\"", "1:11: no character has this number"),
        ("root ::= [\\U00110000]", "1:11: no character has this number"),
        ("root ::= \"a\" []", "1:14: there is no character in these brackets"),
        ("root ::= [^]", "1:10: there is no character in these brackets"),
        ("root ::= root \"a\"", "1:1: the rule root can begin with itself"),
        ("root ::= a\na ::= b\nb ::= \"x\"? a \"y\" | \"z\"", "2:1: the rule a can begin with itself"),
        // Nothing, as often as one likes.
        ("root ::= \"a\" (\"\" | \"b\")*", "1:24: this repeats what may be empty"),
        ("root ::= (\"x\"\n  (\"a\"?)+ \"b\")", "2:9: this repeats what may be empty"),
        ("root ::= a+ \".\"\na ::= \"b\" | c\nc ::= \"d\"*", "1:11: this repeats what may be empty"),
        ("root ::= (\"a\" (\"b\"{0,3}){2,})? \"c\"", "1:25: this repeats what may be empty"),
        // Empty only two rules down, which llama.cpp does not see and would never finish.
        ("root ::= n root \"a\" | \"b\"\nn ::= m\nm ::= \"\"", "1:1: the rule root can begin with itself"),
    ] {
        let found = fault(source);
        assert!(found.starts_with(expected), "{source:?}: {found}");
    }
}

#[test]
fn what_would_exhaust_llama_cpp_is_refused() {
    let deep = format!("root ::= {}\"a\"{}", "(".repeat(5000), ")".repeat(5000));
    assert!(fault(&deep).contains("more than 100 deep"));
    let wide = format!("root ::= (\"{}\"){{2000}}", "x".repeat(100_000));
    assert_eq!(check(&wide), Ok(()));
    let huge = format!("root ::= \"{}\"{{2000}}", "x".repeat(100_000));
    assert!(fault(&huge).contains("more than 1000000 elements"));
    let mut chain = "root ::= r0\n".to_string();
    for i in 0..5000 {
        chain.push_str(&format!("r{i} ::= r{}\n", i + 1));
    }
    chain.push_str("r5000 ::= \"a\"");
    assert!(fault(&chain).contains("rules begin with one another"));
}

#[test]
fn tokens_that_a_grammar_names_are_listed() {
    assert_eq!(named_tokens("root ::= <|im_end|> !<a b> <[7]>"), ["<|im_end|>", "<a b>"]);
}

#[test]
fn a_file_that_is_no_text_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("g.gbnf");
    std::fs::write(&path, b"root ::= \"\xFF\"").unwrap();
    let message = read(&path).unwrap_err().to_string();
    assert!(message.ends_with("g.gbnf: no UTF-8 text: byte 11 can't stand there"), "{message}");
    std::fs::write(&path, b"\xFF\xFEr\0o\0o\0t\0").unwrap();
    for message in [read(&path).unwrap_err().to_string(), schema::read(&path).unwrap_err().to_string()] {
        assert!(message.ends_with("g.gbnf: UTF-16 text; save it as UTF-8"), "{message}");
    }
    std::fs::write(&path, "\u{FEFF}root ::= \"a\"").unwrap();
    assert_eq!(read(&path).unwrap(), Constraint::Gbnf("root ::= \"a\"".into()));
    std::fs::write(&path, "root ::=\n  \"a\n").unwrap();
    let message = read(&path).unwrap_err().to_string();
    assert!(message.ends_with("g.gbnf:2:3: this is never closed"), "{message}");
}

proptest! {
    #[test]
    fn nothing_a_person_types_is_too_much(source in "[a-c:=|()\\[\\]{}*+?\"\\\\<>!.#0-9 \n-]{0,60}") {
        let _ = check(&source);
        let _ = check(&format!("root ::= {source}"));
    }
}
