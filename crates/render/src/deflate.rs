//! A deflate stream (RFC 1951) that several threads compress.
//!
//! The content is cut every [`BLOCK_BYTES`], and each block is compressed by itself: to a whole number of bytes, with no
//! reference to what is before it. So the bytes depend on the content alone: not on the number of threads, nor on how the
//! content was handed over.

use std::io::{self, Write};

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

use crate::workers::{InOrder, Spares, Workers};

/// Bytes that are compressed at once. Larger blocks make the stream shorter, by less than a hundredth.
const BLOCK_BYTES: usize = 512 << 10;

/// Content that is being compressed to one stream after another.
pub(crate) struct Deflate {
    effort: Compression,
    /// The block at hand, never a whole one.
    block: Vec<u8>,
    workers: Workers,
    compressed: InOrder<io::Result<Block>>,
    compressors: Spares<Compress>,
    buffers: Spares<Vec<u8>>,
    sum: Sum,
}

/// What a stream, or a part of one, has in it.
#[derive(Debug, Default)]
pub(crate) struct Sum {
    /// CRC-32 of the content, and its bytes.
    pub(crate) content: Crc,
    pub(crate) content_bytes: u64,
    /// Bytes of the stream.
    pub(crate) bytes: u64,
}

impl Sum {
    /// Adds a part that follows.
    pub(crate) fn add(&mut self, later: &Self) {
        self.content.combine(&later.content);
        self.content_bytes += later.content_bytes;
        self.bytes += later.bytes;
    }
}

struct Block {
    content: Vec<u8>,
    crc: Crc,
    stream: Vec<u8>,
}

impl Deflate {
    /// A compressor with this effort, from 0 to 9.
    pub(crate) fn new(effort: u32, threads: usize) -> Self {
        Self {
            effort: Compression::new(effort),
            block: Vec::new(),
            workers: Workers::new(threads),
            compressed: InOrder::new(),
            compressors: Spares::new(),
            buffers: Spares::new(),
            sum: Sum::default(),
        }
    }

    /// From now on, so many threads compress.
    pub(crate) fn set_threads(&mut self, threads: usize) {
        self.workers = Workers::new(threads);
    }

    /// Takes content, and writes what is compressed by now.
    pub(crate) fn write(&mut self, mut content: &[u8], sink: &mut impl Write) -> io::Result<()> {
        while !content.is_empty() {
            let (now, later) = content.split_at(content.len().min(BLOCK_BYTES - self.block.len()));
            self.block.extend_from_slice(now);
            content = later;
            if self.block.len() == BLOCK_BYTES {
                self.give(FlushCompress::Sync);
                self.append(self.workers.in_flight_max(), sink)?;
            }
        }
        Ok(())
    }

    /// Writes everything that was taken, as a part of a stream to which further parts can be appended.
    pub(crate) fn flush(&mut self, sink: &mut impl Write) -> io::Result<Sum> {
        if !self.block.is_empty() {
            self.give(FlushCompress::Sync);
        }
        self.append(0, sink)?;
        Ok(std::mem::take(&mut self.sum))
    }

    /// Writes everything that was taken, and the end of the stream.
    pub(crate) fn end(&mut self, sink: &mut impl Write) -> io::Result<Sum> {
        self.give(FlushCompress::Finish);
        self.append(0, sink)?;
        Ok(std::mem::take(&mut self.sum))
    }

    fn give(&mut self, flush: FlushCompress) {
        let next = self.buffers.take().unwrap_or_else(|| Vec::with_capacity(BLOCK_BYTES));
        let content = std::mem::replace(&mut self.block, next);
        let (effort, compressors, buffers) = (self.effort, self.compressors.clone(), self.buffers.clone());
        self.compressed.give(&mut self.workers, move || {
            let mut compressor = compressors.take().unwrap_or_else(|| Compress::new(effort, false));
            let mut stream = buffers.take().unwrap_or_default();
            compress(&mut compressor, &content, &mut stream, flush)?;
            compressors.give_back(compressor);
            let mut crc = Crc::new();
            crc.update(&content);
            Ok(Block { content, crc, stream })
        });
    }

    fn append(&mut self, waiting_max: usize, sink: &mut impl Write) -> io::Result<()> {
        while let Some(block) = self.compressed.take(waiting_max) {
            let Block { mut content, crc, mut stream } = block?;
            sink.write_all(&stream)?;
            let (content_bytes, bytes) = (content.len() as u64, stream.len() as u64);
            self.sum.add(&Sum { content: crc, content_bytes, bytes });
            content.clear();
            stream.clear();
            self.buffers.give_back(content);
            self.buffers.give_back(stream);
        }
        Ok(())
    }
}

fn compress(
    compressor: &mut Compress,
    content: &[u8],
    stream: &mut Vec<u8>,
    flush: FlushCompress,
) -> io::Result<()> {
    compressor.reset();
    // More than the stream can have. Where the room does not suffice, the stream depends on how much there is.
    stream.reserve(content.len() + content.len() / 8 + 1_024);
    let mut rest = content;
    loop {
        let before = compressor.total_in();
        let status = compressor.compress_vec(rest, stream, flush).map_err(io::Error::other)?;
        // Never more than there was.
        rest = &rest[(compressor.total_in() - before) as usize..];
        // A flush is complete when it leaves room.
        if status == Status::StreamEnd || rest.is_empty() && stream.len() < stream.capacity() {
            return Ok(());
        }
        stream.reserve(stream.len().max(64));
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test's failure is its message")]
mod tests {
    use std::io::Read;

    use flate2::read::DeflateDecoder;

    use super::*;

    /// Text that compresses about as a report does, longer than some blocks.
    fn content(bytes: usize) -> Vec<u8> {
        let lines = (0_u64..).flat_map(|row| format!("{row},{:x},ACTIVE\r\n", row * 7_919).into_bytes());
        lines.take(bytes).collect()
    }

    fn stream(content: &[u8], piece: usize, threads: usize) -> (Vec<u8>, Sum) {
        let mut deflate = Deflate::new(6, threads);
        let mut out = Vec::new();
        for piece in content.chunks(piece) {
            deflate.write(piece, &mut out).unwrap();
        }
        let sum = deflate.end(&mut out).unwrap();
        assert_eq!(sum.bytes, out.len() as u64);
        (out, sum)
    }

    #[test]
    fn the_stream_is_the_content_and_depends_on_nothing_else() {
        for bytes in [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 5 * BLOCK_BYTES / 2] {
            let content = content(bytes);
            let (expected, sum) = stream(&content, 1 << 20, 1);
            for (piece, threads) in [(1 << 20, 2), (70_000, 4), (BLOCK_BYTES, 3)] {
                assert!(stream(&content, piece, threads).0 == expected, "{bytes} bytes");
            }
            let mut read = Vec::new();
            DeflateDecoder::new(expected.as_slice()).read_to_end(&mut read).unwrap();
            assert!(read == content, "{bytes} bytes");
            let mut crc = Crc::new();
            crc.update(&content);
            assert_eq!((sum.content.sum(), sum.content_bytes), (crc.sum(), bytes as u64));
        }
    }

    #[test]
    fn a_stream_continues_after_a_flush() {
        let mut deflate = Deflate::new(6, 2);
        let mut out = Vec::new();
        deflate.write(b"one ", &mut out).unwrap();
        let mut sum = deflate.flush(&mut out).unwrap();
        assert_eq!(deflate.flush(&mut out).unwrap().bytes, 0);
        deflate.write(b"two", &mut out).unwrap();
        sum.add(&deflate.end(&mut out).unwrap());
        let mut crc = Crc::new();
        crc.update(b"one two");
        assert_eq!((sum.content.sum(), sum.content_bytes, sum.bytes), (crc.sum(), 7, out.len() as u64));
        let mut read = String::new();
        DeflateDecoder::new(out.as_slice()).read_to_string(&mut read).unwrap();
        assert_eq!(read, "one two");
    }

    #[test]
    fn what_cannot_be_compressed_comes_back() {
        // A generator of Marsaglia's (xorshift64): nothing that deflate finds a pattern in.
        let mut state = 88_172_645_463_325_252_u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        })
        .take(BLOCK_BYTES / 4)
        .flatten()
        .collect();
        let mut read = Vec::new();
        DeflateDecoder::new(stream(&noise, 1 << 20, 2).0.as_slice()).read_to_end(&mut read).unwrap();
        assert!(read == noise);
    }
}
