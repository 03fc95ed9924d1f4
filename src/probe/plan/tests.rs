use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::continuation::Join;
use crate::engine::Event;
use crate::engine::testing::Scripted;
use crate::probe::item::Rules;
use crate::probe::question::{Choice, Piece, Prompt, Questions, Rolling};

/// Bytes and a few words are tokens; the context holds 512.
fn model() -> Arc<ModelInfo> {
    match Scripted::new([]).ready() {
        Event::Ready(model) => model,
        _ => panic!("a scripted model is ready at once"),
    }
}

fn item(id: &str, questions: Questions, asks: &[Ask]) -> Item {
    let mut item = Item::new(id.to_string(), id, questions);
    item.asks.extend(asks.iter().cloned());
    item
}

fn suite_of(join: Join, items: Vec<Item>) -> Suite {
    Suite { name: "s".to_string(), rules: Rules { bos: None, join }, items, ..Suite::default() }
}

fn plan_of(join: Join, questions: Questions, asks: &[Ask]) -> Result<ItemPlan, String> {
    let suite_of = suite_of(join, vec![item("i", questions, asks)]);
    let plans = suite(&suite_of, &model(), Bos::Auto).map_err(|error| error.to_string())?;
    Ok(plans.into_iter().next().unwrap())
}

fn ids(text: &str) -> Vec<TokenId> {
    model().tokenizer.tokenize(text.as_bytes(), false)
}

fn prompted(prompt: &str) -> Questions {
    Questions { prompts: vec![Prompt::Text(prompt.to_string())], ..Questions::default() }
}

fn text(text: &str) -> Ask {
    Ask::Text { prompt: 0, text: text.to_string() }
}

#[test]
fn a_continuation_begins_where_the_ids_differ() {
    let plan = plan_of(Join::Joint, prompted("It is"), &[text(" Paris.")]).unwrap();
    let planned = &plan.sequences[0];
    assert_eq!(planned.sequence.tokens, ids("It is Paris."));
    assert_eq!(planned.sequence.from, ids("It is").len());
    assert!(!planned.spans_join);
}

#[test]
fn a_token_that_spans_the_join_is_told_and_belongs_to_the_continuation() {
    // " Paris" is one token of this vocabulary.
    let plan = plan_of(Join::Joint, prompted("It is Par"), &[text("is")]).unwrap();
    let planned = &plan.sequences[0];
    assert!(planned.spans_join);
    assert_eq!(planned.sequence.from, ids("It is").len());
    // The harness counts the context's own tokens, whatever becomes of them.
    let plan = plan_of(Join::Harness, prompted("It is Par"), &[text("is"), text("isian")]).unwrap();
    let reason = "nothing is left to score of \"is\": the prompt's last token swallows it";
    assert_eq!(plan.unscored.as_deref(), Some(reason));
    assert_eq!((plan.sequences.len(), plan.parts()), (0, 0));
}

#[test]
fn the_harness_moves_white_space_into_the_continuation() {
    let plan = plan_of(Join::Harness, prompted("It is "), &[text("the Paris")]).unwrap();
    assert_eq!(plan.sequences[0].sequence.from, ids("It is").len());
    let plan = plan_of(Join::Joint, prompted("It is "), &[text("x")]).unwrap();
    assert_eq!(plan.sequences[0].sequence.from, ids("It is ").len());
}

#[test]
fn an_empty_context_is_the_end_token_for_the_harness_and_nothing_elsewhere() {
    let end = model().vocab.special().eos.unwrap();
    let plan = plan_of(Join::Harness, prompted(""), &[text("ab")]).unwrap();
    assert_eq!((plan.sequences[0].sequence.tokens[0], plan.sequences[0].sequence.from), (end, 1));
    let plan = plan_of(Join::Joint, prompted(""), &[text("ab"), Ask::Next { prompt: 0 }]).unwrap();
    assert_eq!((plan.sequences[0].sequence.tokens.clone(), plan.sequences[0].sequence.from), (ids("ab"), 0));
    // Nothing comes after nothing.
    assert_eq!((plan.sequences.len(), plan.empty.len(), plan.parts()), (1, 1, 2));
}

#[test]
fn what_does_not_fit_is_named_before_anything_runs() {
    let long = "x".repeat(513);
    let error = plan_of(Join::Joint, prompted(&long), &[text("y")]).unwrap_err();
    assert_eq!(
        error,
        "s: probe \"i\": 513 tokens do not fit into the context of 512: shorten it, or raise --ctx"
    );
    // The last token is predicted and not read.
    assert!(plan_of(Join::Joint, prompted(&long[1..]), &[text("y")]).is_ok());
    let error =
        plan_of(Join::Joint, prompted(&long[..500]), &[Ask::Greedy { prompt: 0, tokens: 13 }]).unwrap_err();
    assert!(error.contains("513 tokens do not fit"), "{error}");
    let error = plan_of(Join::Joint, prompted(""), &[Ask::Greedy { prompt: 0, tokens: 3 }]).unwrap_err();
    assert!(error.contains("there is nothing to continue"), "{error}");
}

#[test]
fn what_only_looks_ahead_costs_no_naive_token() {
    let plan = plan_of(Join::Joint, prompted("abc"), &[text("d"), Ask::Next { prompt: 0 }]).unwrap();
    assert_eq!((plan.sequences.len(), plan.naive_tokens()), (2, 3));
}

#[test]
fn a_chat_is_continued_by_ids() {
    let questions = Questions {
        prompts: vec![Prompt::Chat(vec![crate::chat::Message::user("Hi")])],
        ..Questions::default()
    };
    let plan = plan_of(Join::Joint, questions, &[text("Hello")]).unwrap();
    let sequence = &plan.sequences[0].sequence;
    let text =
        String::from_utf8(model().vocab.concat(sequence.tokens[..sequence.from].iter().copied())).unwrap();
    assert_eq!(text, "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
    assert_eq!(sequence.tokens[sequence.from..], ids("Hello"));
}

proptest! {
    /// Whatever the choices are, every one is scored, after exactly its prompt and whole.
    #[test]
    fn planning_covers_every_choice(
        prompt in "[a-z ]{0,20}",
        choices in prop::collection::hash_set("[a-zA-Z ]{1,12}", 2..6),
        harness in any::<bool>(),
    ) {
        let questions = Questions {
            choices: choices.iter().map(|text| Choice { text: text.clone(), continuation: text.clone(), prompt: 0 }).collect(),
            ..prompted(&prompt)
        };
        let join = if harness { Join::Harness } else { Join::Joint };
        let Ok(plan) = plan_of(join, questions, &[]) else { return Ok(()) };
        prop_assert_eq!(plan.sequences.len(), choices.len());
        for (planned, choice) in plan.sequences.iter().zip(&choices) {
            let bytes = model().vocab.concat(planned.sequence.tokens.iter().copied());
            let whole = format!("{prompt}{choice}");
            prop_assert!(bytes.ends_with(whole.as_bytes()));
            let scored = model().vocab.concat(planned.sequence.tokens[planned.sequence.from..].iter().copied());
            prop_assert!(planned.spans_join || scored.ends_with(choice.as_bytes()));
        }
    }

    /// The pieces' tokens are the text's, none lost, none twice.
    #[test]
    fn pieces_share_out_the_tokens(pieces in prop::collection::vec("[a-z]{0,3}( the| is)?", 1..6)) {
        prop_assume!(!pieces.concat().is_empty());
        let questions = Questions {
            pieces: pieces.iter().map(|text| Piece { name: String::new(), text: text.clone(), prompt: 0 }).collect(),
            ..prompted("")
        };
        let plan = plan_of(Join::Joint, questions, &[]).unwrap();
        let (sequence, cuts) = (&plan.sequences[0].sequence, &plan.sequences[0].cuts);
        prop_assert_eq!(cuts.len(), pieces.len());
        prop_assert_eq!(cuts[0], 0);
        prop_assert!(cuts.windows(2).all(|pair| pair[0] <= pair[1]) && cuts.iter().all(|cut| *cut <= sequence.tokens.len()));
        // Each piece begins at or before the token that holds its first byte.
        let mut start = 0;
        for (piece, cut) in pieces.iter().zip(cuts) {
            let before: usize = sequence.tokens[..*cut].iter().map(|id| model().vocab.bytes(*id).len()).sum();
            prop_assert!(before >= start);
            start += piece.len();
        }
    }
}

#[test]
fn a_long_text_rolls_through_the_context() {
    let text = "ab".repeat(700);
    let rolling = Rolling { words: 1, text: text.clone() };
    let plan =
        plan_of(Join::Harness, Questions { rolling: Some(rolling), ..Questions::default() }, &[]).unwrap();
    let scored: usize =
        plan.sequences.iter().map(|planned| planned.sequence.tokens.len() - planned.sequence.from).sum();
    assert_eq!(scored, 1400);
    assert!(plan.sequences.iter().all(|planned| planned.sequence.tokens.len() == 513));
}

#[test]
fn a_prompt_is_cut_short_or_lacks_words_without_being_tokenized_again() {
    let text = || " Paris".to_string();
    let context = |tokens| Ask::Context { prompt: 0, tokens, text: text() };
    let without = |words: &str| Ask::Without { prompt: 0, words: words.to_string(), text: text() };
    let asks = [context(1), context(99), without("is"), without(" capital")];
    let plan = plan_of(Join::Joint, prompted("The capital is"), &asks).unwrap();
    let of: Vec<(&[TokenId], usize)> =
        plan.sequences.iter().map(|planned| (&planned.sequence.tokens[..], planned.sequence.from)).collect();
    let rest = ids("The Paris");
    let expected = [
        ids(" is Paris"),
        ids("The capital is Paris"),
        ids("The capital Paris"),
        [&rest[..1], &ids(" is Paris")].concat(),
    ];
    assert_eq!(of.iter().map(|(tokens, _)| tokens.to_vec()).collect::<Vec<_>>(), expected);
    assert_eq!(of.iter().map(|(_, from)| *from).collect::<Vec<_>>(), [1, 3, 2, 2]);
    // What has no token of its own is an answer too.
    let plan = plan_of(Join::Joint, prompted("The capital is"), &[without("apital")]).unwrap();
    assert_eq!(plan.parts(), 1);
    assert!(plan.missing[0].1.contains("no token of the prompt begins with"), "{:?}", plan.missing);
}

#[test]
fn prompts_that_are_patched_have_one_length_and_the_first_difference_is_named() {
    let of = |clean: &str, corrupt: &str, layer, position| {
        let questions = Questions {
            prompts: vec![Prompt::Text(clean.to_string()), Prompt::Text(corrupt.to_string())],
            compares: true,
            ..Questions::default()
        };
        let ask = Ask::Patched { layer, position, text: " Paris".to_string() };
        plan_of(Join::Joint, questions, &[ask]).unwrap()
    };
    let reason = |plan: ItemPlan| plan.missing[0].1.clone();
    assert_eq!(
        reason(of("a is", "bcd is", 0, 0)),
        "the prompts have 2 and 4 tokens: they differ from token 0 on, \"a\" and \"b\""
    );
    assert_eq!(reason(of("a is", "b is", 0, 2)), "there is no position 2: the prompts have 2");
    let layers = model().layers;
    assert_eq!(
        reason(of("a is", "b is", layers as i64, -1)),
        format!("there is no layer {layers}: this model has {layers}, counted from 0, or from -1 back")
    );
    let plan = of("a is", "b is", -1, -1);
    assert!(plan.missing.is_empty() && plan.looks.len() == 1);
}
