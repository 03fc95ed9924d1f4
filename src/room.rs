//! How much room the machine has left, where the system says so.

use std::path::Path;

/// Free bytes on the disk of a folder.
pub fn disk(folder: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(stat.f_bavail * stat.f_frsize)
}

/// Bytes of memory that new work may take without swapping.
pub fn memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
}

#[cfg(test)]
mod tests {
    #[test]
    fn linux_says_how_much_room_there_is() {
        if cfg!(target_os = "linux") {
            assert!(super::memory().is_some_and(|bytes| bytes > 1 << 20));
            assert!(super::disk(std::path::Path::new("/")).is_some());
        }
    }
}
