use super::super::{Command, parse};
use super::*;

fn read(line: &str) -> Result<BranchCommand, String> {
    match parse(line).unwrap() {
        Ok(Command::Branch(command)) => Ok(command),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn places_are_steps_of_the_reply_and_tokens_of_the_prompt() {
    assert_eq!(read("/swap 3 2"), Ok(BranchCommand::Swap(Some(StepPlace::Step(3)), 2)));
    assert_eq!(read("/swap @p12 1"), Ok(BranchCommand::Swap(Some(StepPlace::Prompt(12)), 1)));
    assert_eq!(read("/swap 4"), Ok(BranchCommand::Swap(None, 4)));
    for wrong in ["/swap 0 1", "/swap 1 0", "/swap a 1", "/swap 1 2 3", "/swap 2+1 1", "/swap p 1"] {
        assert!(read(wrong).unwrap_err().starts_with("/swap [STEP] CANDIDATE: write"), "{wrong}");
    }
    assert!(read("/swap").unwrap_err().contains("needs"));
}

#[test]
fn a_forced_text_is_taken_as_it_is() {
    assert_eq!(read("/force  a b "), Ok(BranchCommand::Force(None, " a b ".to_string())));
    assert_eq!(
        read("/force @3  x"),
        Ok(BranchCommand::Force(Some((StepPlace::Step(3), 0)), " x".to_string()))
    );
    assert_eq!(
        read("/force @p3+2"),
        Ok(BranchCommand::Force(Some((StepPlace::Prompt(3), 2)), String::new()))
    );
    for wrong in ["/force", "/force @3", "/force @", "/force @0 x", "/force @x x"] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn names_may_be_for_the_present_branch() {
    assert_eq!(read("/name 2 the other way"), Ok(BranchCommand::Name(Some(2), "the other way".to_string())));
    assert_eq!(read("/name the way"), Ok(BranchCommand::Name(None, "the way".to_string())));
    assert_eq!(read("/name 2"), Ok(BranchCommand::Name(Some(2), String::new())));
    assert_eq!(read("/retry"), Ok(BranchCommand::Retry(1)));
    assert_eq!(read("/retry 5"), Ok(BranchCommand::Retry(5)));
    assert!(read("/retry 100000").unwrap_err().contains("at most 32"));
    assert!(read("/diff 1").is_err() && read("/edit 1").is_err() && read("/edit x y").is_err());
    assert_eq!(read("/edit 1 Where?"), Ok(BranchCommand::Edit(1, "Where?".to_string())));
}
