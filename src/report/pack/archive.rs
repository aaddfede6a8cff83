//! The zip: the same entries give the same bytes, so that two packs of one checkpoint can be compared.

use super::PackError;
use std::io::{Seek, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// A zip in the making.
pub struct Archive<W: Write + Seek> {
    zip: ZipWriter<W>,
}

impl<W: Write + Seek> Archive<W> {
    /// An empty zip.
    pub fn new(out: W) -> Self {
        Self { zip: ZipWriter::new(out) }
    }

    /// Adds a file that compresses well.
    pub fn put(&mut self, name: &str, bytes: &[u8]) -> Result<(), PackError> {
        self.begin(name)?;
        self.append(bytes)
    }

    /// Adds a file of hashes, which do not compress.
    pub fn put_hashes(&mut self, name: &str, bytes: &[u8]) -> Result<(), PackError> {
        self.zip.start_file(name, options(CompressionMethod::Stored))?;
        self.append(bytes)
    }

    /// Begins a file that is written in pieces.
    pub fn begin(&mut self, name: &str) -> Result<(), PackError> {
        Ok(self.zip.start_file(name, options(CompressionMethod::Deflated))?)
    }

    /// Adds to the file that was begun last.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), PackError> {
        Ok(self.zip.write_all(bytes)?)
    }

    /// Ends the zip.
    pub fn finish(self) -> Result<W, PackError> {
        Ok(self.zip.finish()?)
    }
}

/// No clock and no user of this machine stands in a pack.
fn options(method: CompressionMethod) -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(method)
        .compression_level((method == CompressionMethod::Deflated).then_some(6))
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644)
}
