//! How a frame is written to the terminal: as crossterm does, but for colours. It writes each one as one of
//! 256 (`38;5;N`), also a terminal's own 16, which older terminals don't understand.

use std::fmt::Write as _;
use std::io::{self, Write};

use ratatui::backend::{Backend, ClearType, CrosstermBackend, WindowSize};
use ratatui::buffer::Cell;
use ratatui::crossterm::cursor::MoveTo;
use ratatui::crossterm::queue;
use ratatui::layout::{Position, Size};
use ratatui::style::{Color, Modifier};

/// A terminal's screen.
pub struct AnsiScreen<W: Write>(CrosstermBackend<W>);

impl<W: Write> AnsiScreen<W> {
    /// Writes to this.
    pub fn new(writer: W) -> AnsiScreen<W> {
        AnsiScreen(CrosstermBackend::new(writer))
    }
}

/// Everything but what the cell holds: colours and modifiers, from nothing.
fn style(cell: &Cell) -> String {
    const MODIFIERS: [(Modifier, u8); 8] = [
        (Modifier::BOLD, 1),
        (Modifier::DIM, 2),
        (Modifier::ITALIC, 3),
        (Modifier::UNDERLINED, 4),
        (Modifier::SLOW_BLINK, 5),
        (Modifier::REVERSED, 7),
        (Modifier::HIDDEN, 8),
        (Modifier::CROSSED_OUT, 9),
    ];
    let mut codes = "\u{1b}[0".to_string();
    for (_, code) in MODIFIERS.into_iter().filter(|(modifier, _)| cell.modifier.contains(*modifier)) {
        let _ = write!(codes, ";{code}");
    }
    for (color, base) in [(cell.fg, 30), (cell.bg, 40)] {
        let _ = match (own(color), color) {
            (Some(code), _) => write!(codes, ";{}", base + code),
            (None, Color::Indexed(index)) => write!(codes, ";{};5;{index}", base + 8),
            (None, Color::Rgb(r, g, b)) => write!(codes, ";{};2;{r};{g};{b}", base + 8),
            (None, _) => Ok(()),
        };
    }
    codes + "m"
}

/// Where one of a terminal's own 16 stands after the first.
fn own(color: Color) -> Option<u8> {
    use Color::*;
    let all = [Black, Red, Green, Yellow, Blue, Magenta, Cyan, Gray];
    let bright = [DarkGray, LightRed, LightGreen, LightYellow, LightBlue, LightMagenta, LightCyan, White];
    let at = |colors: [Color; 8]| colors.iter().position(|&other| other == color).map(|at| at as u8);
    at(all).or_else(|| at(bright).map(|at| 60 + at))
}

impl<W: Write> Backend for AnsiScreen<W> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let (mut next, mut last) = (None, None);
        for (x, y, cell) in content {
            if next != Some((x, y)) {
                queue!(self.0, MoveTo(x, y))?;
            }
            next = Some((x + 1, y));
            let now = (cell.fg, cell.bg, cell.modifier);
            if last != Some(now) {
                self.0.write_all(style(cell).as_bytes())?;
                last = Some(now);
            }
            self.0.write_all(cell.symbol().as_bytes())?;
        }
        self.0.write_all(b"\x1b[0m")
    }

    fn append_lines(&mut self, n: u16) -> io::Result<()> {
        self.0.append_lines(n)
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        self.0.hide_cursor()
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        self.0.show_cursor()
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        self.0.get_cursor_position()
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        self.0.set_cursor_position(position)
    }

    fn clear(&mut self) -> io::Result<()> {
        self.0.clear()
    }

    fn clear_region(&mut self, clear_type: ClearType) -> io::Result<()> {
        self.0.clear_region(clear_type)
    }

    fn size(&self) -> io::Result<Size> {
        self.0.size()
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        self.0.window_size()
    }

    fn flush(&mut self) -> io::Result<()> {
        Backend::flush(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use ratatui::style::Style;

    use super::*;

    fn written(style: Style) -> String {
        let mut cell = Cell::new("x");
        cell.set_style(style);
        let mut out = Vec::new();
        AnsiScreen::new(&mut out).draw([(0, 0, &cell)].into_iter()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_terminals_own_colours_are_written_as_such_and_the_others_as_one_of_256() {
        let of = |style| written(style).replace("\u{1b}[1;1H", "").replace("\u{1b}[0m", "");
        assert_eq!(of(Style::new().fg(Color::Red)), "\u{1b}[0;31mx");
        assert_eq!(of(Style::new().fg(Color::LightBlue).bg(Color::Gray)), "\u{1b}[0;94;47mx");
        assert_eq!(
            of(Style::new().fg(Color::Indexed(33)).bg(Color::Rgb(1, 2, 3))),
            "\u{1b}[0;38;5;33;48;2;1;2;3mx"
        );
        assert_eq!(of(Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED)), "\u{1b}[0;1;7mx");
        assert_eq!(of(Style::new()), "x");
    }

    #[test]
    fn cells_in_a_row_are_written_without_moving_and_a_style_once() {
        let cells = ["a", "b", "c"].map(Cell::new);
        let mut out = Vec::new();
        let content = cells.iter().enumerate().map(|(x, cell)| (x as u16 * (x as u16 + 1) / 2, 0, cell));
        AnsiScreen::new(&mut out).draw(content).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "\u{1b}[1;1H\u{1b}[0mab\u{1b}[1;4Hc\u{1b}[0m");
    }
}
