//! Pictures in the columns there are.

use super::{HeatMap, HeatRow, Picture, PicturePart, PictureRow, Shade, ShadedRow, ShadedText};
use crate::intervention::OffPart;
use crate::tui::theme::THEMES;

fn text(row: &PictureRow) -> String {
    row.line.spans.iter().map(|span| span.content.as_ref()).collect()
}

fn texts(picture: &Picture, columns: usize, selected: usize) -> Vec<String> {
    picture.rows(columns, selected, THEMES[0].2).iter().map(text).collect()
}

fn of(part: PicturePart) -> Picture {
    Picture { parts: vec![part], ..Picture::default() }
}

fn heat(columns: usize) -> HeatMap {
    let values = |sign: f64| (0..columns).map(|at| sign * at as f64).collect();
    HeatMap {
        first: 0,
        head: "layer".to_string(),
        rows: vec![
            HeatRow {
                label: "    0".to_string(),
                name: "layer 0".to_string(),
                values: values(-1.0),
                parts: vec![OffPart::Layer(0)],
            },
            HeatRow {
                label: "    1".to_string(),
                name: "layer 1".to_string(),
                values: values(1.0),
                parts: Vec::new(),
            },
        ],
        columns: (0..columns).map(|at| format!("token {at}")).collect(),
        counted_from: 0,
        floor: 0.5,
        written: |value| format!("{value:.1}"),
    }
}

#[test]
fn below_the_floor_nothing_matters_and_the_sign_says_which_way() {
    assert_eq!(Shade::of_change(-0.4, 0.5, 2.0), Shade::None);
    assert_eq!(Shade::of_change(f64::NAN, 0.0, 2.0), Shade::None);
    assert_eq!(Shade::of_change(0.0, 0.0, 0.0), Shade::None);
    assert_eq!(Shade::of_change(-1.0, 0.5, 2.0), Shade::For(0.5));
    assert_eq!(Shade::of_change(2.0, 0.5, 2.0), Shade::Against(1.0));
    let glyphs = [Shade::None, Shade::For(0.0), Shade::For(1.0), Shade::Against(0.0), Shade::Against(1.0)];
    assert_eq!(glyphs.map(Shade::glyph), ["·", "▁", "█", "░", "▓"]);
}

#[test]
fn words_wrap_between_words_and_each_piece_is_its_items() {
    let word = |text: &str, item| ShadedText { text: text.to_string(), shade: Shade::None, item: Some(item) };
    let picture = of(PicturePart::Words(vec![vec![word("The", 0), word(" capital", 1), word(" is", 2)]]));
    assert_eq!(texts(&picture, 40, 0), ["The capital is"]);
    assert_eq!(texts(&picture, 8, 0), ["The ", "capital ", "is"]);
    let rows = picture.rows(8, 0, THEMES[0].2);
    assert_eq!((rows[0].item_at(0), rows[1].item_at(6), rows[2].item_at(1)), (Some(0), Some(1), Some(2)));
    assert_eq!(rows[2].item_at(5), None);
    assert!(rows[1].holds(1) && !rows[1].holds(0));
}

#[test]
fn arrows_stop_at_the_ends_of_a_text_a_table_and_a_heat_map() {
    let row = |item| ShadedRow { cells: vec![("x".to_string(), Shade::None)], item };
    let table = of(PicturePart::Table(vec![row(None), row(Some(4)), row(Some(7))]));
    assert_eq!((table.step(4, 0, 1), table.step(7, 0, 1), table.step(4, 0, -1)), (7, 7, 4));
    assert_eq!(table.step(4, 1, 0), 4, "a table has no columns");
    let map = of(PicturePart::Heat(heat(3)));
    assert_eq!((map.step(0, 1, 0), map.step(0, 0, 1), map.step(5, 1, 1), map.step(0, -1, -1)), (1, 3, 5, 0));
    assert_eq!(Picture::default().step(3, 1, 1), 3);
}

#[test]
fn a_heat_map_names_its_cells_and_marks_what_exceeds_the_floor() {
    let map = heat(3);
    assert_eq!((map.cell(4), map.cell(6), map.item(1, 1)), (Some((1, 1)), None, 4));
    assert_eq!(map.about(5), "layer 1, token 2: 2.0");
    assert_eq!(
        [0, 2, 3, 6].map(|item| map.part(item)),
        [Some(OffPart::Layer(0)), Some(OffPart::Layer(0)), None, None]
    );
    assert_eq!(map.most(), 2, "of equal sizes the first");
    let rows = texts(&of(PicturePart::Heat(map)), 40, 0);
    assert_eq!(rows, ["layer 0", "    0 ·  ▅  █  ", "    1 ·  ▒  ▓  "]);
}

#[test]
fn a_heat_map_without_room_shows_the_columns_around_the_selected_one() {
    let picture = of(PicturePart::Heat(heat(100)));
    for selected in [0, 50, 99, 150, 199] {
        let rows = picture.rows(26, selected, THEMES[0].2);
        assert!(rows.iter().all(|row| row.line.width() <= 26), "{selected}");
        assert!(rows.iter().any(|row| row.holds(selected)), "{selected}");
    }
    assert_eq!(text(&picture.rows(26, 50, THEMES[0].2)[0]), "layer 40   45   50   55");
}

#[test]
fn a_curve_has_its_highest_and_lowest_value_beside_it_and_needs_two_points() {
    let rows = texts(&of(PicturePart::Curve(vec![(0.0, -8.0), (1.0, f64::NAN), (2.0, -0.5)])), 30, 0);
    assert_eq!(rows.len(), 5);
    assert!(rows[0].contains("−0.5") && rows[4].contains("−8.0"), "{rows:?}");
    assert!(texts(&of(PicturePart::Curve(vec![(0.0, -8.0)])), 30, 0).is_empty());
    assert!(texts(&of(PicturePart::Curve(vec![(0.0, -8.0), (1.0, 0.0)])), 15, 0).is_empty());
}
