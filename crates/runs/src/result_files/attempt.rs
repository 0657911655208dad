//! Names of result files: `<task>.<epoch>.<file name>`, with `.tmp` after it until the file is published.

use muster_reports::ids::TaskId;

/// The end of a name until the file is published.
pub(super) const TEMPORARY: &str = ".tmp";
/// Longest name of a file, in bytes.
const NAME_MAX: usize = 200;

/// What a stored name says.
pub(super) struct Attempt {
    pub(super) task: TaskId,
    pub(super) epoch: u64,
    /// Whether the file is not published.
    pub(super) temporary: bool,
}

impl Attempt {
    /// Reads a name; `None` for one that this module would not give.
    pub(super) fn of(name: &str) -> Option<Self> {
        let (stored, temporary) = match name.strip_suffix(TEMPORARY) {
            Some(stored) => (stored, true),
            None => (name, false),
        };
        let mut parts = stored.split('.');
        let task = parts.next()?;
        let epoch = parts.next()?;
        let is_plain = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        let fits = name.len() <= NAME_MAX
            && is_plain(task)
            && epoch.bytes().all(|b| b.is_ascii_digit())
            && parts.clone().next().is_some()
            && parts.all(is_plain);
        let epoch = epoch.parse().ok()?;
        fits.then(|| Self { task: TaskId::new(task), epoch, temporary })
    }
}
