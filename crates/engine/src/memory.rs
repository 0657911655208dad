//! How much memory the machine has, and how much of it plans may use by default.
//!
//! The numbers come from Linux and include the limit of a control group. On other systems they are unknown.

use std::path::Path;

/// Memory for plans if a quarter of the machine's memory is less than this or unknown.
const LEAST: u64 = 1 << 30;

/// A quarter of the memory that this process may use, at least 1 GiB. The rest is for files that are not on disk yet,
/// for memory that plans use outside the limit, and for other programs.
pub fn for_plans() -> u64 {
    share(of_machine(Path::new("/proc/meminfo")), of_group(Path::new("/sys/fs/cgroup/memory.max")))
}

fn share(machine: Option<u64>, group: Option<u64>) -> u64 {
    let there_is = machine.into_iter().chain(group).min();
    there_is.map_or(LEAST, |bytes| (bytes / 4).max(LEAST))
}

/// `MemTotal:       24689764 kB`
fn of_machine(file: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let kibibytes =
        text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.trim().strip_suffix(" kB")?;
    kibibytes.parse::<u64>().ok()?.checked_mul(1024)
}

/// A number of bytes, or `max` without a limit.
fn of_group(file: &Path) -> Option<u64> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_of_machine_and_group_counts() {
        const GIB: u64 = 1 << 30;
        assert_eq!(share(Some(32 * GIB), None), 8 * GIB);
        assert_eq!(share(Some(32 * GIB), Some(12 * GIB)), 3 * GIB);
        assert_eq!(share(Some(2 * GIB), None), GIB);
        assert_eq!(share(None, None), GIB);
    }

    #[test]
    fn files_of_the_kernel_are_read() {
        let dir = tempfile::tempdir().expect("a folder can be made");
        let file = dir.path().join("file");
        std::fs::write(&file, "MemTotal:       1048576 kB\nMemFree: 1 kB\n").expect("it can be written");
        assert_eq!(of_machine(&file), Some(1 << 30));
        std::fs::write(&file, "max\n").expect("it can be written");
        assert_eq!((of_group(&file), of_machine(&file)), (None, None));
        std::fs::write(&file, "536870912\n").expect("it can be written");
        assert_eq!(of_group(&file), Some(512 << 20));
    }
}
