//! Record batches to Parquet, compressed with Zstandard.
//!
//! Rows are cut into batches and row groups of fixed sizes, so the bytes do not depend on how the report's
//! batches were cut. Every column may hold nulls, dictionaries are resolved, and nothing of Arrow's own schema or
//! of the machine is written.

use std::io::Write;
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::arrow_writer::ArrowWriterOptions;
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use arrow::compute::BatchCoalescer;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use crate::file::{
    ColumnFormat, Digested, FileWriter, RenderError, UpToError, Written, check_columns, unpack,
};
use crate::json::is_writable;

/// Rows of a batch that is encoded at once.
const BATCH_ROWS: usize = 8_192;
/// Rows of a row group. A group is held in memory, compressed, until it is complete.
const GROUP_ROWS: usize = 8 * BATCH_ROWS;
/// The form that readers parse; the version is that of this writer, not of the product.
const CREATED_BY: &str = "muster version 1 (build 1)";

/// Writes one Parquet file to a sink.
pub struct ParquetWriter<W: Write + Send> {
    columns: Vec<ColumnFormat>,
    /// The sink until the first batch is written, or until the end if there is none.
    sink: Option<UpToError<Digested<W>>>,
    body: Option<Body<W>>,
    rows: u64,
    broken: bool,
}

struct Body<W: Write + Send> {
    schema: SchemaRef,
    recut: BatchCoalescer,
    writer: ArrowWriter<UpToError<Digested<W>>>,
}

impl<W: Write + Send> ParquetWriter<W> {
    /// Begins a file. Its types are those of the first batch. A file without a batch has columns of text.
    #[must_use]
    pub fn new(sink: W, columns: Vec<ColumnFormat>) -> Self {
        Self { columns, sink: Some(UpToError::new(Digested::new(sink))), body: None, rows: 0, broken: false }
    }

    fn begin(&mut self, types: impl Iterator<Item = DataType>) -> Result<&mut Body<W>, RenderError> {
        if let Some(sink) = self.sink.take() {
            let fields = self.columns.iter().zip(types).map(|(column, data_type)| {
                let data_type = if data_type == DataType::Null { DataType::Utf8 } else { data_type };
                Field::new(&column.name, data_type, true)
            });
            let schema: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
            let properties = WriterProperties::builder()
                .set_compression(Compression::ZSTD(ZstdLevel::default()))
                .set_created_by(CREATED_BY.to_owned())
                .set_max_row_group_row_count(Some(GROUP_ROWS))
                .build();
            let options =
                ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
            let writer =
                ArrowWriter::try_new_with_options(sink, schema.clone(), options).map_err(encoding)?;
            self.body = Some(Body { recut: BatchCoalescer::new(schema.clone(), BATCH_ROWS), schema, writer });
        }
        self.body.as_mut().ok_or(RenderError::Broken)
    }
}

impl<W: Write + Send> Body<W> {
    fn write_whole(&mut self) -> Result<(), RenderError> {
        while let Some(batch) = self.recut.next_completed_batch() {
            let answer = self.writer.write(&batch).map_err(encoding);
            self.writer.inner_mut().tell_apart(answer)?;
        }
        Ok(())
    }
}

impl<W: Write + Send> FileWriter for ParquetWriter<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), RenderError> {
        if self.broken {
            return Err(RenderError::Broken);
        }
        self.broken = true;
        check_columns(&self.columns, batch)?;
        let mut arrays = unpack(batch)?;
        for (column, array) in self.columns.iter().zip(&arrays) {
            if !is_writable(array.data_type()) {
                let (column, data_type) = (column.name.clone(), array.data_type().clone());
                return Err(RenderError::Unsupported { column, data_type });
            }
        }
        let types: Vec<_> = arrays.iter().map(|array| array.data_type().clone()).collect();
        let body = self.begin(types.into_iter())?;
        for (field, array) in body.schema.fields().iter().zip(&mut arrays) {
            if array.data_type() == &DataType::Null {
                *array = arrow::array::new_null_array(field.data_type(), array.len());
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let plain = RecordBatch::try_new_with_options(body.schema.clone(), arrays, &options);
        let pushed = plain.and_then(|plain| body.recut.push_batch(plain));
        pushed.map_err(|error| RenderError::Encoding(Box::new(error)))?;
        body.write_whole()?;
        self.rows += batch.num_rows() as u64;
        self.broken = false;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Written, RenderError> {
        if self.broken {
            return Err(RenderError::Broken);
        }
        let texts = std::iter::repeat_n(DataType::Utf8, self.columns.len());
        self.begin(texts)?;
        let mut body = self.body.expect("it has just begun");
        body.recut.finish_buffered_batch().map_err(|error| RenderError::Encoding(Box::new(error)))?;
        body.write_whole()?;
        let answer = body.writer.finish().map_err(encoding);
        body.writer.inner_mut().tell_apart(answer)?;
        let sink = &mut body.writer.inner_mut().sink;
        sink.flush()?;
        Ok(sink.written(self.rows))
    }
}

fn encoding(error: ParquetError) -> RenderError {
    RenderError::Encoding(Box::new(error))
}
