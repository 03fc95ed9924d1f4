//! Where everything is: a pure function of the screen's size that update and view both call.

use ratatui::layout::{Constraint, Layout, Margin, Position, Rect, Size};

use super::pane::{Fronts, LENS, Pane, PanePlace, Slot, TABLE};

/// Narrower screens show a short table below the chat, where they are high enough, and the whole panels in
/// the chat's place.
const SIDE_BY_SIDE: u16 = 90;
/// Below this nothing useful fits.
pub const SMALLEST: (u16, u16) = (40, 10);
/// Rows of the lower panel, borders included.
const LOWER_ROWS: u16 = 11;
/// Rows from which on there is room for a lens and for the lower panel.
const LENS_ROWS: u16 = 44;
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

/// How the panes stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrangement {
    /// Conversation and figures beside each other.
    SideBySide,
    /// A short table below the conversation.
    Stacked,
    /// One side at a time.
    OneSide,
    /// One pane over all.
    Zoomed,
}

/// The panes that are shown, and the last line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Areas {
    /// Where each pane stands that is shown.
    pub panes: Vec<(&'static Pane, PanePlace)>,
    /// The last line.
    pub status: Rect,
    /// How they stand.
    pub arrangement: Arrangement,
}

/// What decides where things are, besides the screen's size.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// Which side a narrow screen shows.
    pub tab: Tab,
    /// The pane that has to be seen.
    pub focus: &'static Pane,
    /// Whether it fills the screen.
    pub zoom: bool,
    /// Whether a narrow screen has room for a short table below the conversation.
    pub stacked: bool,
    /// What each slot shows.
    pub fronts: Fronts,
}

/// Divides a screen; `None` where it is too small. `composer_lines` is what the message needs.
pub fn areas(size: Size, composer_lines: u16, wish: Wish) -> Option<Areas> {
    let Size { width, height } = size;
    if width < SMALLEST.0 || height < SMALLEST.1 {
        return None;
    }
    let screen = Rect::new(0, 0, width, height);
    let [body, status] = Layout::vertical([Constraint::Fill(1), Constraint::Length(1)]).areas(screen);
    let whole = |pane, area| (pane, PanePlace { area, is_compact: false });
    if wish.zoom {
        let panes = vec![whole(wish.focus, body)];
        return Some(Areas { panes, status, arrangement: Arrangement::Zoomed });
    }
    let is_wide = width >= SIDE_BY_SIDE;
    let figures_wide = if is_wide { (width * 9 / 20).clamp(46, 72) } else { 0 };
    let columns = Layout::horizontal([Constraint::Fill(1), Constraint::Length(figures_wide)]);
    let [left, right] = columns.areas(body);
    let composer_rows = (composer_lines + 2).clamp(3, COMPOSER_ROWS.min(height / 3).max(3));
    let rows = Layout::vertical([Constraint::Fill(1), Constraint::Length(composer_rows)]);
    let [main, composer] = rows.areas(left);
    let conversation = wish.fronts.of(Slot::Conversation);
    let (mut panes, arrangement) = if is_wide {
        ([vec![whole(conversation, main)], figures(right, &wish)].concat(), Arrangement::SideBySide)
    } else if wish.tab == Tab::Panels {
        (figures(main, &wish), Arrangement::OneSide)
    } else if wish.stacked && main.height >= STACKED_ROWS {
        let rows = Layout::vertical([Constraint::Fill(1), Constraint::Length(COMPACT_ROWS)]);
        let [chat, table] = rows.areas(main);
        let short = (&TABLE, PanePlace { area: table, is_compact: true });
        (vec![whole(conversation, chat), short], Arrangement::Stacked)
    } else {
        (vec![whole(conversation, main)], Arrangement::OneSide)
    };
    panes.push(whole(wish.fronts.of(Slot::Message), composer));
    Some(Areas { panes, status, arrangement })
}

/// The upper pane keeps at least half; the lower one goes where there is no room for both, unless it has
/// the keys.
fn figures(area: Rect, wish: &Wish) -> Vec<(&'static Pane, PanePlace)> {
    let whole = |pane, area| (pane, PanePlace { area, is_compact: false });
    let (upper, lower) = (wish.fronts.of(Slot::Upper), wish.fronts.of(Slot::Lower));
    let rows = LOWER_ROWS.min(area.height / 2);
    if rows < 5 || (*upper == LENS && area.height < LENS_ROWS) {
        return vec![whole(if wish.focus == lower { lower } else { upper }, area)];
    }
    let [above, below] = Layout::vertical([Constraint::Fill(1), Constraint::Length(rows)]).areas(area);
    vec![whole(upper, above), whole(lower, below)]
}

/// A pane without its border.
pub fn inside(pane: Rect) -> Rect {
    pane.inner(Margin::new(1, 1))
}

/// Columns for the text of the message: a prompt stands before it, and the cursor may stand after it.
pub fn message_columns(message: Rect) -> u16 {
    inside(message).width.saturating_sub(3).max(1)
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
    /// Where a pane stands, if it is shown.
    pub fn of(&self, pane: &Pane) -> Option<PanePlace> {
        self.panes.iter().find(|(other, _)| *other == pane).map(|&(_, place)| place)
    }

    /// The pane at a position of the screen.
    pub fn at(&self, position: Position) -> Option<(&'static Pane, PanePlace)> {
        self.panes.iter().find(|(_, place)| place.area.contains(position)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::super::pane::{CHAT, LIKELIHOOD, PANES};
    use super::*;

    fn wish(tab: Tab, focus: &'static Pane, zoom: bool) -> Wish {
        Wish { tab, focus, zoom, stacked: true, fronts: Fronts::default() }
    }

    #[test]
    fn panes_never_overlap_and_never_leave_the_screen() {
        for width in 40..200 {
            for height in 10..60 {
                for (tab, focus) in
                    [Tab::Chat, Tab::Panels].into_iter().flat_map(|tab| PANES.map(|pane| (tab, pane)))
                {
                    for zoom in [false, true] {
                        let areas = areas(Size::new(width, height), 3, wish(tab, focus, zoom)).unwrap();
                        let places = areas.panes.iter().map(|(_, place)| place.area);
                        let all: Vec<Rect> = places.chain([areas.status]).collect();
                        let total: u32 = all.iter().map(|area| area.area()).sum();
                        assert_eq!(total, u32::from(width) * u32::from(height), "{width}×{height}");
                        assert!(all.iter().all(|area| area.right() <= width && area.bottom() <= height));
                    }
                }
            }
        }
    }

    #[test]
    fn the_lower_pane_is_seen_where_it_has_the_keys() {
        let shown = |focus| areas(Size::new(40, 12), 1, wish(Tab::Panels, focus, false)).unwrap();
        assert_eq!(shown(&TABLE).of(&LIKELIHOOD), None);
        assert!(shown(&LIKELIHOOD).of(&LIKELIHOOD).is_some() && shown(&LIKELIHOOD).of(&TABLE).is_none());
    }

    #[test]
    fn a_pane_brought_to_the_front_takes_the_place_of_the_other_of_its_slot() {
        static LENS: Pane = Pane { name: "lens", ..LIKELIHOOD };
        let mut fronts = Fronts::default();
        fronts.show(&LENS);
        let wish = Wish { fronts, ..wish(Tab::Chat, &LENS, false) };
        let areas = areas(Size::new(120, 36), 1, wish).unwrap();
        let before = super::areas(Size::new(120, 36), 1, Wish { fronts: Fronts::default(), ..wish }).unwrap();
        assert_eq!((areas.of(&LENS), areas.of(&LIKELIHOOD)), (before.of(&LIKELIHOOD), None));
    }

    #[test]
    fn a_screen_too_small_has_no_panes() {
        assert_eq!(areas(Size::new(39, 30), 1, wish(Tab::Chat, &CHAT, false)), None);
        assert_eq!(areas(Size::new(80, 9), 1, wish(Tab::Chat, &CHAT, false)), None);
    }
}
