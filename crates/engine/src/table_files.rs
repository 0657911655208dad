//! Reads the files of tables for plans.
//!
//! Why not with the reader that DataFusion brings: it hands each read to another thread and waits for it, several times for
//! each row group. But the system nearly always has what a plan reads in memory, because the files of a snapshot are hashed
//! before they are first read. To copy it takes less time than to wake another thread. So the thread that needs it reads it.
//! Plans have threads of their own, so this delays no request.

use bytes::Bytes;
use datafusion::common::Result;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::{
    CachedParquetFileReaderFactory, ParquetFileReaderFactory,
};
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::object_store::ObjectStore;
use datafusion::object_store::local::LocalFileSystem;
use datafusion::parquet::arrow::arrow_reader::ArrowReaderOptions;
use datafusion::parquet::arrow::async_reader::AsyncFileReader;
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::metadata::ParquetMetaData;
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// Makes the readers.
#[derive(Debug)]
pub(crate) struct TableFiles {
    folders: LocalFileSystem,
    footers: CachedParquetFileReaderFactory,
}

impl TableFiles {
    /// Readers of files of this machine. Footers are read from `store`, and kept in the cache.
    pub(crate) fn new(store: Arc<dyn ObjectStore>, cache: Arc<FileMetadataCache>) -> Self {
        Self { folders: LocalFileSystem::new(), footers: CachedParquetFileReaderFactory::new(store, cache) }
    }
}

impl ParquetFileReaderFactory for TableFiles {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let path = self.folders.path_to_filesystem(file.path())?;
        let bytes_scanned = MetricBuilder::new(metrics).counter("bytes_scanned", partition);
        let footer = self.footers.create_reader(partition, file, metadata_size_hint, metrics)?;
        Ok(Box::new(TableFile { path, footer, bytes_scanned }))
    }
}

/// Reads one file. It is open while it is read, and not between: many files may be waiting for their turn.
struct TableFile {
    path: PathBuf,
    footer: Box<dyn AsyncFileReader + Send>,
    bytes_scanned: Count,
}

/// A file could not be read.
#[derive(Debug, thiserror::Error)]
#[error("reading {} failed", .path.display())]
struct Unread {
    path: PathBuf,
    #[source]
    source: std::io::Error,
}

impl TableFile {
    fn read(&self, ranges: &[Range<u64>]) -> std::io::Result<Vec<Bytes>> {
        let mut file = File::open(&self.path)?;
        let read = |range: &Range<u64>| {
            let length = range.end.saturating_sub(range.start);
            let length = usize::try_from(length).map_err(std::io::Error::other)?;
            let mut bytes = Vec::with_capacity(length);
            file.seek(SeekFrom::Start(range.start))?;
            // Nothing is written to the memory before what is read.
            (&file).take(range.end.saturating_sub(range.start)).read_to_end(&mut bytes)?;
            if bytes.len() != length {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            self.bytes_scanned.add(length);
            Ok(bytes.into())
        };
        ranges.iter().map(read).collect()
    }

    fn read_now(&self, ranges: &[Range<u64>]) -> std::result::Result<Vec<Bytes>, ParquetError> {
        let failed = |source| ParquetError::External(Box::new(Unread { path: self.path.clone(), source }));
        self.read(ranges).map_err(failed)
    }
}

impl AsyncFileReader for TableFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, std::result::Result<Bytes, ParquetError>> {
        ready(self.read_now(&[range]).map(|read| read.into_iter().next().unwrap_or_default())).boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, std::result::Result<Vec<Bytes>, ParquetError>> {
        ready(self.read_now(&ranges)).boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, std::result::Result<Arc<ParquetMetaData>, ParquetError>> {
        self.footer.get_metadata(options)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use datafusion::object_store::path::Path;

    /// A reader of this file of 26 letters, in a folder whose name is not one for an address.
    fn reader(folder: &std::path::Path, name: &str) -> Box<dyn AsyncFileReader + Send> {
        let folder = folder.join("a b%20ü");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("there"), b"abcdefghijklmnopqrstuvwxyz").unwrap();
        let context = datafusion::prelude::SessionContext::new();
        let cache = context.runtime_env().cache_manager.get_file_metadata_cache();
        let files = TableFiles::new(Arc::new(LocalFileSystem::new()), cache);
        let location = Path::from_absolute_path(folder.join(name)).unwrap();
        let file = PartitionedFile::new_from_meta(datafusion::object_store::ObjectMeta {
            location,
            last_modified: chrono::DateTime::UNIX_EPOCH,
            size: 26,
            e_tag: None,
            version: None,
        });
        files.create_reader(0, file, None, &ExecutionPlanMetricsSet::new()).unwrap()
    }

    #[test]
    fn ranges_are_read_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let mut reader = reader(folder.path(), "there");
        let read = reader.get_byte_ranges(vec![24..26, 0..3, 5..5]).now_or_never().unwrap().unwrap();
        assert_eq!(read, ["yz", "abc", ""]);
        assert_eq!(reader.get_bytes(1..2).now_or_never().unwrap().unwrap(), "b");
    }

    #[test]
    fn a_file_that_is_short_or_missing_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["there", "missing"] {
            let error = reader(folder.path(), name).get_bytes(20..30).now_or_never().unwrap().unwrap_err();
            let cause = std::error::Error::source(&error).unwrap();
            assert!(cause.to_string().ends_with(&format!("{name} failed")), "{cause}");
            assert!(cause.source().unwrap().is::<std::io::Error>(), "{cause}");
        }
    }
}
