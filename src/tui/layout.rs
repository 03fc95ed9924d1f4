//! Where everything is: a pure function of the screen's size that update and view both call.

use ratatui::layout::{Constraint, Layout, Margin, Position, Rect};

/// Narrower screens show a short table below the chat, where they are high enough, and the whole panels in
/// the chat's place.
const SIDE_BY_SIDE: u16 = 90;
/// Below this nothing useful fits.
pub const SMALLEST: (u16, u16) = (40, 10);
/// Rows of the log-likelihood panel, borders included.
const LIKELIHOOD_ROWS: u16 = 11;
/// Rows of the short table below the conversation: a head, five candidates, the rest, the sum, borders.
const COMPACT_ROWS: u16 = 10;
/// Rows that conversation and short table need together.
const STACKED_ROWS: u16 = 18;
/// Most rows of the composer, borders included.
const COMPOSER_ROWS: u16 = 9;
/// Longer lines of text are hard to read.
const WIDEST_TEXT: u16 = 100;
/// Rows of the table that hold no candidate: its head, the rest, the figures of the whole.
const TABLE_FRAME: u16 = 3;

/// Which side a narrow screen shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    /// The conversation.
    #[default]
    Chat,
    /// The figures.
    Panels,
}

/// The panes, borders included. A pane that is not shown has no area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Areas {
    /// The conversation.
    pub chat: Option<Rect>,
    /// The next-token table.
    pub table: Option<Rect>,
    /// The log-likelihood panel.
    pub likelihood: Option<Rect>,
    /// The message being written; empty where another pane fills the screen.
    pub composer: Rect,
    /// The last line.
    pub status: Rect,
    /// Whether both sides are shown at once.
    pub side_by_side: bool,
    /// Whether the table is the short one below the conversation, with the sum in its last row.
    pub compact: bool,
    /// Whether one pane fills the screen.
    pub zoomed: bool,
}

/// What decides where things are, besides the screen's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Which side a narrow screen shows.
    pub tab: Tab,
    /// The pane that fills the screen.
    pub zoom: Option<Pane>,
    /// Whether a narrow screen has room for a short table below the conversation.
    pub stacked: bool,
}

/// Divides a screen; `None` where it is too small. `composer_lines` is what the message needs.
pub fn areas(width: u16, height: u16, composer_lines: u16, wish: Wish) -> Option<Areas> {
    if width < SMALLEST.0 || height < SMALLEST.1 {
        return None;
    }
    let screen = Rect::new(0, 0, width, height);
    let [body, status] = Layout::vertical([Constraint::Fill(1), Constraint::Length(1)]).areas(screen);
    if let Some(pane) = wish.zoom {
        return Some(zoomed(pane, body, status));
    }
    let composer_rows = (composer_lines + 2).clamp(3, COMPOSER_ROWS.min(height / 3).max(3));
    let split = |area: Rect| -> [Rect; 2] {
        Layout::vertical([Constraint::Fill(1), Constraint::Length(composer_rows)]).areas(area)
    };
    if width >= SIDE_BY_SIDE {
        let right = (width * 9 / 20).clamp(46, 72);
        let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Length(right)]).areas(body);
        let [chat, composer] = split(left);
        let (table, likelihood) = panels(right);
        return Some(Areas {
            chat: Some(chat),
            table,
            likelihood,
            composer,
            status,
            side_by_side: true,
            compact: false,
            zoomed: false,
        });
    }
    let [main, composer] = split(body);
    if wish.tab == Tab::Chat && wish.stacked && main.height >= STACKED_ROWS {
        let rows = [Constraint::Fill(1), Constraint::Length(COMPACT_ROWS)];
        let [chat, table] = Layout::vertical(rows).areas(main);
        let (chat, table) = (Some(chat), Some(table));
        return Some(Areas {
            chat,
            table,
            likelihood: None,
            composer,
            status,
            side_by_side: false,
            compact: true,
            zoomed: false,
        });
    }
    let (chat, (table, likelihood)) = match wish.tab {
        Tab::Chat => (Some(main), (None, None)),
        Tab::Panels => (None, panels(main)),
    };
    Some(Areas {
        chat,
        table,
        likelihood,
        composer,
        status,
        side_by_side: false,
        compact: false,
        zoomed: false,
    })
}

/// One pane over everything but the status line.
fn zoomed(pane: Pane, body: Rect, status: Rect) -> Areas {
    let only = |this: Pane| (pane == this).then_some(body);
    Areas {
        chat: only(Pane::Chat),
        table: only(Pane::Table),
        likelihood: only(Pane::Likelihood),
        composer: only(Pane::Composer).unwrap_or_default(),
        status,
        side_by_side: false,
        compact: false,
        zoomed: true,
    }
}

/// The table keeps at least half; the lower panel goes where there is no room for it.
fn panels(area: Rect) -> (Option<Rect>, Option<Rect>) {
    let rows = LIKELIHOOD_ROWS.min(area.height / 2);
    if rows < 5 {
        return (Some(area), None);
    }
    let [table, likelihood] = Layout::vertical([Constraint::Fill(1), Constraint::Length(rows)]).areas(area);
    (Some(table), Some(likelihood))
}

/// A pane without its border.
pub fn inside(pane: Rect) -> Rect {
    pane.inner(Margin::new(1, 1))
}

/// Columns of the names beside what was said.
pub fn gutter(chat: Rect) -> u16 {
    if chat.width >= 50 { 7 } else { 2 }
}

/// Columns for the text of the conversation; the last one stays free for the scroll bar.
pub fn text_width(chat: Rect) -> u16 {
    inside(chat).width.saturating_sub(gutter(chat) + 1).clamp(1, WIDEST_TEXT)
}

/// Candidates that a table has rows for.
pub fn candidate_rows(table: Rect) -> usize {
    usize::from(inside(table).height.saturating_sub(TABLE_FRAME))
}

impl Areas {
    /// The pane at a place of the screen.
    pub fn at(&self, column: u16, row: u16) -> Option<Pane> {
        let position = Position::new(column, row);
        let holds = |area: Option<Rect>| area.is_some_and(|area| area.contains(position));
        [
            (Pane::Chat, holds(self.chat)),
            (Pane::Table, holds(self.table)),
            (Pane::Likelihood, holds(self.likelihood)),
            (Pane::Composer, holds(Some(self.composer))),
        ]
        .into_iter()
        .find_map(|(pane, here)| here.then_some(pane))
    }
}

/// A pane of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pane {
    /// The conversation.
    Chat,
    /// The next-token table.
    Table,
    /// The log-likelihood panel.
    Likelihood,
    /// The message being written.
    Composer,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panes_never_overlap_and_never_leave_the_screen() {
        for width in 40..200 {
            for height in 10..60 {
                let zooms = [None, Some(Pane::Chat), Some(Pane::Table), Some(Pane::Composer)];
                for (tab, zoom) in
                    [Tab::Chat, Tab::Panels].into_iter().flat_map(|tab| zooms.map(|zoom| (tab, zoom)))
                {
                    let areas = areas(width, height, 3, Wish { tab, zoom, stacked: true }).unwrap();
                    let all: Vec<Rect> = [areas.chat, areas.table, areas.likelihood]
                        .into_iter()
                        .flatten()
                        .chain([areas.composer, areas.status])
                        .collect();
                    let total: u32 = all.iter().map(|area| area.area()).sum();
                    assert_eq!(total, u32::from(width) * u32::from(height), "{width}×{height}");
                    assert!(all.iter().all(|area| area.right() <= width && area.bottom() <= height));
                }
            }
        }
    }

    #[test]
    fn a_screen_too_small_has_no_panes() {
        let wish = Wish { tab: Tab::Chat, zoom: None, stacked: true };
        assert_eq!(areas(39, 30, 1, wish), None);
        assert_eq!(areas(80, 9, 1, wish), None);
    }
}
