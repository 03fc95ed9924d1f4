//! What a misspelt keyword means.

/// The keyword of these that a misspelt one means.
pub(super) fn meant<'a>(written: &str, keywords: &'a str) -> Option<&'a str> {
    let near = |keyword: &&str| {
        written.len() >= 4
            && (keyword.eq_ignore_ascii_case(written)
                || keyword.trim_start_matches('$') == written
                || transposed(written, keyword))
    };
    keywords.split(' ').find(near)
}

/// Whether two letters of one have changed places in the other, or one is missing, doubled or wrong.
fn transposed(a: &str, b: &str) -> bool {
    if a.len() < 5 || a.len().abs_diff(b.len()) > 1 {
        return false;
    }
    let same_start = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let same_end = a.bytes().rev().zip(b.bytes().rev()).take_while(|(a, b)| a == b).count();
    let (shorter, longer) = (a.len().min(b.len()), a.len().max(b.len()));
    let swapped = a.len() == b.len() && same_start + same_end + 2 == a.len() && {
        let (a, b) = (a.as_bytes(), b.as_bytes());
        a[same_start] == b[same_start + 1] && a[same_start + 1] == b[same_start]
    };
    same_start > 0 && (swapped || same_start + same_end >= shorter.min(longer - 1))
}
