//! A file that is made for one answer.

use std::any::Any;
use std::fs::File;
use std::sync::Arc;

/// A file made for answers, whole and open. Only they know it: it is gone when the last of them closes it.
#[derive(Debug, Clone)]
pub struct MadeFile {
    /// Its content; where it stands does not matter.
    pub file: Arc<File>,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, 64 hex digits.
    pub sha256: String,
    /// The room that it takes; given back when the last answer with it is sent or given up.
    pub held: Option<Arc<dyn Any + Send + Sync>>,
}
