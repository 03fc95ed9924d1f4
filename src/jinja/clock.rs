//! `strftime_now`: the date some templates write into the system prompt.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use minijinja::Environment;

/// What time a template sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clock {
    /// The machine's, in its time zone.
    #[default]
    Local,
    /// Always this second (since 1970, UTC), shown in UTC.
    Fixed(i64),
}

impl Clock {
    fn now(self) -> Zoned {
        match self {
            Clock::Local => Zoned::now(),
            Clock::Fixed(seconds) => {
                Timestamp::from_second(seconds).unwrap_or_default().to_zoned(TimeZone::UTC)
            }
        }
    }
}

/// Adds `strftime_now`.
pub(super) fn install(environment: &mut Environment<'static>, clock: Clock) {
    environment.add_function("strftime_now", move |format: String| -> String {
        // Lenient: what is no directive stays as it is written, as in the C library.
        let config = jiff::fmt::strtime::Config::new().lenient(true);
        let time = jiff::fmt::strtime::BrokenDownTime::from(&clock.now());
        time.to_string_with_config(&config, &format).unwrap_or(format)
    });
}
