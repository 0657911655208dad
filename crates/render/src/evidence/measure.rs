//! A file's bytes, digest and rows, in one pass.

use std::io::{self, Read};

use muster_reports::ids::hex;
use sha2::{Digest, Sha256};

/// Longest record of a CSV file, which is held while it is counted: a spreadsheet's cell has 32,767 characters.
const RECORD_BYTES_MAX: u64 = 64 << 20;

/// What a file is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Measured {
    pub(super) bytes: u64,
    /// In lower-case hex.
    pub(super) sha256: String,
    pub(super) rows: Rows,
}

/// How many rows a file has.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rows {
    Counted(u64),
    /// Rows of this format are not counted here.
    Uncounted,
    /// It is not what its format says.
    Malformed(String),
}

/// Reads a file whole; rows are counted of CSV (its header apart) and NDJSON.
pub(super) fn measure(content: impl Read, format: &str) -> io::Result<Measured> {
    let mut content = Hashed { content, hash: Sha256::new(), bytes: 0, bytes_max: u64::MAX, failed: None };
    let rows = match format.to_ascii_uppercase().as_str() {
        "CSV" => csv_rows(&mut content),
        "NDJSON" => lines(&mut content),
        _ => Rows::Uncounted,
    };
    if let Some(error) = content.failed {
        return Err(error);
    }
    content.bytes_max = u64::MAX;
    io::copy(&mut content, &mut io::sink())?;
    Ok(Measured { bytes: content.bytes, sha256: hex(content.hash.finalize()), rows })
}

fn csv_rows<R: Read>(content: &mut Hashed<R>) -> Rows {
    let mut reader = csv::ReaderBuilder::new().from_reader(content);
    let (mut rows, mut record) = (0, csv::ByteRecord::new());
    loop {
        let content = reader.get_mut();
        content.bytes_max = content.bytes + RECORD_BYTES_MAX;
        match reader.read_byte_record(&mut record) {
            Ok(true) => rows += 1,
            Ok(false) => return Rows::Counted(rows),
            Err(error) => return Rows::Malformed(error.to_string()),
        }
    }
}

fn lines(mut content: impl Read) -> Rows {
    let (mut rows, mut open, mut buffer) = (0, false, vec![0; 64 << 10]);
    loop {
        match content.read(&mut buffer) {
            Ok(0) if open => return Rows::Malformed("its last line does not end".to_owned()),
            Ok(0) => return Rows::Counted(rows),
            Ok(count) => {
                rows += buffer[..count].iter().filter(|byte| **byte == b'\n').count() as u64;
                open = buffer[count - 1] != b'\n';
            }
            Err(error) => return Rows::Malformed(error.to_string()),
        }
    }
}

/// Hashes what is read, and keeps the error with which it ended.
struct Hashed<R> {
    content: R,
    hash: Sha256,
    bytes: u64,
    /// Where reading ends with an error that is not the content's.
    bytes_max: u64,
    failed: Option<io::Error>,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.bytes >= self.bytes_max {
            return Err(io::Error::other(format!("a record is longer than {RECORD_BYTES_MAX} bytes")));
        }
        match self.content.read(buffer) {
            Ok(count) => {
                self.hash.update(&buffer[..count]);
                self.bytes += count as u64;
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let kind = error.kind();
                self.failed = Some(error);
                Err(kind.into())
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test's failure is its message")]
mod tests {
    use super::*;

    #[test]
    fn rows_bytes_and_digest() {
        // The digest is what `sha256sum` prints for these bytes.
        let csv = b"a,b\r\n1,\"x\r\ny\"\r\n2,\r\n";
        let measured = measure(&csv[..], "CSV").unwrap();
        assert_eq!((measured.bytes, measured.rows), (19, Rows::Counted(2)));
        assert_eq!(measured.sha256, "e8b0e89e1c88af0c6e2741854b35cbbfdc94776ee51c04effc446dc1e8624ba3");
        assert_eq!(measure(&b"a\r\n"[..], "csv").unwrap().rows, Rows::Counted(0));
        assert_eq!(measure(&b"\xef\xbb\xbfa,b\r\n1,2\r\n"[..], "CSV").unwrap().rows, Rows::Counted(1));
        assert_eq!(measure(&b"{}\n{}\n"[..], "NDJSON").unwrap().rows, Rows::Counted(2));
        assert!(matches!(measure(&b"{}\n{}"[..], "NDJSON").unwrap().rows, Rows::Malformed(_)));
        assert_eq!(measure(&csv[..], "XLSX").unwrap().rows, Rows::Uncounted);
        let uneven = measure(&b"a,b\r\n1\r\n2,3\r\n"[..], "CSV").unwrap();
        assert!(matches!(uneven.rows, Rows::Malformed(_)));
        assert_eq!(uneven.bytes, 13);
    }
}
