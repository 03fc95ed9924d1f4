use super::*;

fn sequence(tokens: &[u32]) -> Sequence {
    Sequence { tokens: tokens.iter().copied().map(TokenId).collect(), from: 0 }
}

#[test]
fn what_sequences_share_takes_room_once_wherever_they_stand() {
    let mut beginnings = Beginnings::default();
    assert!(beginnings.take(&sequence(&[1, 2, 3, 4, 5]), 2), "the first has room anyway");
    assert!(beginnings.take(&sequence(&[9, 2, 3]), 8));
    assert!(!beginnings.take(&sequence(&[7]), 8));
    // The same tokens after others are others; after the same they are there already.
    assert!(beginnings.take(&sequence(&[1, 2, 3]), 8) && beginnings.take(&sequence(&[9, 2]), 8));
    assert!(!beginnings.take(&sequence(&[1, 2, 3, 5]), 8));
    assert!(beginnings.take(&sequence(&[1, 2, 3, 5]), 9));
    assert_eq!(beginnings.0.len(), 9);
}
