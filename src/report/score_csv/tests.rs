use super::*;
use crate::report::score::PartText;

fn word(value: Option<f64>) -> PartRecord {
    PartRecord {
        bounds: Bounds::default(),
        index: 0,
        text: PartText::Word("a,\u{1b}[2J".to_string()),
        start: 0,
        end: 3,
        tokens: [0, 1],
        surprisal_sum: value,
        surprisal_corrected: Some(None),
        entropy: Some(1.0),
        note: None,
    }
}

fn written(unit: Unit, terminal: bool, input: &[&str], value: Option<f64>) -> String {
    let mut out = Vec::new();
    let mut csv = Csv::new(&mut out, unit, terminal);
    csv.part_head(PartKind::Word, input).unwrap();
    csv.part(&vec!["x"; input.len()], &word(value)).unwrap();
    csv.flush().unwrap();
    drop(csv);
    String::from_utf8(out).unwrap()
}

#[test]
fn the_unit_is_in_the_name_and_missing_is_na() {
    let text = written(Unit::Bits, false, &[], Some(2f64.ln()));
    let mut lines = text.lines();
    assert_eq!(
        lines.next().unwrap(),
        "index,word,start,end,surprisal_sum_bits,surprisal_corrected_bits,entropy_bits,note"
    );
    assert_eq!(lines.next().unwrap(), "0,\"a,\u{1b}[2J\",0,3,1,NA,1.4426950408889634,");
    assert!(written(Unit::Nats, false, &[], Some(1.5)).contains("surprisal_sum_nats"));
    assert!(written(Unit::Nats, false, &[], None).contains(",NA,NA,1,"));
}

#[test]
fn a_terminal_gets_no_control_characters() {
    let text = written(Unit::Bits, true, &[], None);
    assert!(!text.contains('\u{1b}'), "{text:?}");
}

#[test]
fn columns_of_the_input_keep_their_names() {
    let text = written(Unit::Bits, false, &["item", "word"], None);
    assert!(text.starts_with("item,word,index,tokenscope_word,"), "{text}");
    assert!(text.contains("\nx,x,0,"), "{text}");
}
