use super::*;

fn candidates() -> Table {
    let mut table = Table::new([
        Column::figures("rank", 7).after(0),
        Column::text("token", 12).after(2),
        Column::figures("p %", 7),
        Column::bars("", 6).after(2),
    ]);
    let texts = [("␣Paris", "78.00", "████▋"), ("␣a␣very␣long␣token", "1.20", "▏"), ("x", "0.00", "")];
    for (i, (token, p, bar)) in texts.into_iter().enumerate() {
        table
            .rows
            .push(TableRow::new([(i + 1).to_string().into(), token.into(), p.into(), bar.into()]).of(i));
    }
    table
}

fn text(lines: &[Line]) -> Vec<String> {
    lines.iter().map(|line| line.spans.iter().map(|span| span.text.as_str()).collect()).collect()
}

fn lines(table: Table, columns: usize) -> Vec<Line> {
    View { blocks: vec![Block::Table(table)], told: 0 }.lines(columns)
}

#[test]
fn as_it_is_a_table_is_filled_up_and_ends_without_blanks() {
    let mut out = Vec::new();
    candidates().write(&mut out, Paint::default()).unwrap();
    let expected = [
        "   rank  token            p %",
        "      1  ␣Paris         78.00  ████▋",
        "      2  ␣a␣very␣long␣token    1.20  ▏",
        "      3  x               0.00",
        "",
    ];
    assert_eq!(String::from_utf8(out).unwrap(), expected.join("\n"));
}

#[test]
fn in_a_pane_bars_go_first_then_texts_are_wrapped_then_rows_go_on_below() {
    let wide = text(&lines(candidates(), 40));
    assert_eq!(wide[1], "   1  ␣Paris             78.00  ████▋");
    let without_bars = text(&lines(candidates(), 32));
    assert_eq!(without_bars[2], "   2  ␣a␣very␣long␣token  1.20");
    let narrow = text(&lines(candidates(), 20));
    assert_eq!(narrow[2..5], ["   2  ␣a␣very␣  1.20", "      long␣tok", "      en"]);
    assert_eq!(text(&lines(candidates(), 16))[..4], ["rank  token", "    p %", "   1  ␣Paris", "  78.00"]);
}

#[test]
fn nothing_is_cut_and_nothing_is_wider_than_the_pane() {
    let written = |lines: &[Line]| {
        let all = text(lines).concat();
        all.chars().filter(|c| !c.is_whitespace() && !"█▋▏".contains(*c)).count()
    };
    let all = written(&lines(candidates(), 80));
    for columns in 1..80 {
        let lines = lines(candidates(), columns);
        assert!(text(&lines).iter().all(|line| width(line) <= columns.max(1)), "{columns}: {lines:?}");
        assert_eq!(written(&lines), all, "{columns}");
        assert!(lines.iter().all(|line| line.spans.iter().all(|span| !span.text.contains('…'))));
    }
}

#[test]
fn every_line_of_a_row_stands_for_what_the_row_stands_for() {
    let items: Vec<Option<usize>> = lines(candidates(), 20).iter().map(|line| line.item).collect();
    assert_eq!(items, [None, Some(0), Some(1), Some(1), Some(1), Some(2)]);
}

#[test]
fn text_keeps_its_indent_where_it_is_wrapped() {
    let mut view = View::default();
    view.text("  one two three four");
    view.text("");
    view.text("end\n");
    assert_eq!(text(&view.lines(11)), ["  one two", "  three", "  four", "", "end"]);
}

/// A list in which columns may be left out and texts cut.
fn continuations() -> Table {
    let mut table = Table::new([
        Column::figures("#", 4).after(0),
        Column::figures("from", 4).after(2).minor(2),
        Column::figures("joint %", 9),
        Column::figures("p %", 7).minor(1),
        Column::bars("", 6).after(2),
        Column::text("continuation", 0).after(2).elided_before(8),
    ]);
    for (i, text) in ["␣Paris", "␣Paris,␣which␣is␣also"].into_iter().enumerate() {
        let cells = [
            (i + 1).to_string().into(),
            "1".into(),
            "77.26".into(),
            "68.29".into(),
            "█▋".into(),
            text.into(),
        ];
        table.rows.push(TableRow::new(cells).of(i));
    }
    table
}

#[test]
fn where_columns_may_go_they_go_whole_and_a_row_stays_one_line() {
    let shown = |columns| text(&lines(continuations(), columns)).join("\n");
    let wide = "#  from joint %   p %  continuation\n\
                1     1   77.26 68.29  ␣Paris\n\
                2     1   77.26 68.29  ␣Paris,␣which␣is␣also";
    assert_eq!(shown(47), wide);
    assert_eq!(shown(65).lines().nth(1), Some("1     1   77.26 68.29  █▋  ␣Paris"));
    let cut = "#  from joint %   p %  …inuation\n\
               1     1   77.26 68.29  ␣Paris\n\
               2     1   77.26 68.29  …␣is␣also";
    assert_eq!(shown(32), cut);
    let fewer = "# joint %   p %  …ntinuation\n\
                 1   77.26 68.29  ␣Paris\n\
                 2   77.26 68.29  …ch␣is␣also";
    assert_eq!(shown(28), fewer);
    let fewest = "# joint %  …tinuation\n\
                  1   77.26  ␣Paris\n\
                  2   77.26  …h␣is␣also";
    assert_eq!(shown(21), fewest);
    for columns in 20..80 {
        let lines = lines(continuations(), columns);
        assert_eq!(lines.len(), 3, "{columns}");
        assert!(text(&lines).iter().all(|line| width(line) <= columns), "{columns}: {lines:?}");
    }
}
