//! What the machine's cores do, as far as the system says.

use std::time::{Duration, Instant};

/// Looks at what is ready to run, and the time between them: what is there in all of them stays.
const LOOKS: u32 = 3;
const BETWEEN: Duration = Duration::from_millis(1);

/// Times since the system, or this process, began.
#[derive(Clone, Copy, Debug)]
pub(super) struct LoadReading {
    /// When it was taken.
    pub at: Instant,
    /// Processor time of this process.
    own: Duration,
    /// Time of all cores with nothing to do, in hundredths of a second; `None` where it is not known.
    idle: Option<u64>,
}

impl LoadReading {
    /// What stands there now.
    pub fn take() -> LoadReading {
        LoadReading { at: Instant::now(), own: own_time(), idle: idle_ticks() }
    }

    /// Cores that this process used since an earlier reading, and cores that nobody used.
    pub fn cores_left(&self, since: &LoadReading) -> (f64, Option<f64>) {
        let wall = (self.at - since.at).as_secs_f64().max(1e-6);
        let own = self.own.saturating_sub(since.own).as_secs_f64() / wall;
        let idle =
            self.idle.zip(since.idle).map(|(now, then)| now.saturating_sub(then) as f64 / 100.0 / wall);
        (own, idle)
    }
}

fn own_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock is one that every system of today has, and is written to a place of our own.
    let outcome = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    match outcome {
        0 => Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default()),
        _ => Duration::ZERO,
    }
}

/// The fourth and fifth number of the first line: idle, and idle while a disk is waited for.
fn idle_ticks() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/stat").ok()?;
    idle_of(text.lines().next()?)
}

fn idle_of(line: &str) -> Option<u64> {
    let mut numbers = line.strip_prefix("cpu ")?.split_whitespace().map_while(|n| n.parse::<u64>().ok());
    let idle: u64 = numbers.by_ref().skip(3).take(2).sum();
    // A sandbox may have nothing but zeros there.
    (idle > 0).then_some(idle)
}

/// How many of so many cores other processes are ready to run on; 0 where that is not known.
pub(super) fn others_running(cores: u32) -> u32 {
    let all = std::thread::available_parallelism().map_or(cores, |n| n.get() as u32).max(online());
    let mut fewest = u32::MAX;
    for look in 0..LOOKS {
        if look > 0 {
            std::thread::sleep(BETWEEN);
        }
        let Some(running) = std::fs::read_to_string("/proc/loadavg").ok().and_then(|text| running_of(&text))
        else {
            return 0;
        };
        // This thread is one of them. Cores that this process may not use are theirs first.
        fewest = fewest.min(running.saturating_sub(1).saturating_sub(all.saturating_sub(cores)));
        if fewest == 0 {
            break;
        }
    }
    fewest
}

/// The fourth field: `ready/all`.
fn running_of(text: &str) -> Option<u32> {
    text.split_whitespace().nth(3)?.split('/').next()?.parse().ok()
}

/// Cores of the machine, whether this process may use them or not.
fn online() -> u32 {
    // SAFETY: a plain question.
    let found = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    u32::try_from(found).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_says_is_read() {
        assert_eq!(idle_of("cpu  1166 22 487 98006 114 0 17 3 0 0"), Some(98_120));
        assert_eq!(idle_of("cpu  0 0 0 0 0 0 0 0 0 0"), None);
        assert_eq!(idle_of("intr 5"), None);
        assert_eq!(running_of("2.72 3.36 2.86 4/212 20422\n"), Some(4));
        assert_eq!(running_of(""), None);
    }

    #[test]
    fn a_thread_at_work_uses_a_core_at_most() {
        let before = LoadReading::take();
        let until = before.at + Duration::from_millis(60);
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        let after = LoadReading::take();
        let (own, _) = after.cores_left(&before);
        assert!(own > 0.0, "{own}");
        let cores = f64::from(online());
        assert!(own < cores + 0.5, "{own} of {cores}");
    }
}
