use super::*;

const ANYONE: Owner = Owner { message: Some(0), typed: true };

#[test]
fn what_was_marked_is_found() {
    let used = HashSet::from(['\u{20000}']);
    let mut marks = Marks::avoiding(&used);
    let mut text = "one two".to_string();
    marks.around(&mut text, 4..7, ANYONE);
    marks.in_place(&mut text, 0..3, Owner { message: None, typed: false });
    assert!(!text.contains(['\u{20000}']) && text.chars().count() == 8);
    let (plain, regions) = marks.remove(&format!("<{text}>")).unwrap();
    assert_eq!(plain, "<one two>");
    assert_eq!(regions[0], MarkedRegion { range: 1..4, owner: Owner { message: None, typed: false } });
    assert_eq!(regions[1], MarkedRegion { range: 5..8, owner: ANYONE });
}

#[test]
fn torn_pairs_are_refused() {
    let used = HashSet::new();
    let mut marks = Marks::avoiding(&used);
    let mut text = "ab".to_string();
    marks.around(&mut text, 0..2, ANYONE);
    let open: String = text.chars().take(1).collect();
    let close: String = text.chars().skip(3).collect();
    assert!(marks.remove(&open).is_none());
    assert!(marks.remove(&close).is_none());
    assert!(marks.remove(&format!("{close}{open}")).is_none());
    assert_eq!(marks.remove("plain").unwrap().1, []);
}
