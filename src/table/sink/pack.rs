//! Compression of a text file that is made in pieces.
//!
//! The bytes depend on the pieces alone. A reader sees one stream: several readers silently stop after the first member
//! of a file of many.
//!
//! | | on the pool | in order |
//! |---|---|---|
//! | gzip | each piece is deflated, up to a byte boundary, and its CRC computed | the blocks are put together; one member |
//! | Zstandard | nothing: blocks refer to those before them | the piece is compressed; one frame |
//!
//! At its default level Zstandard takes 400 MB a second, which is more than a pool of RDKit threads makes.

use std::io::{self, Write};

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

use super::format::TextCompression;

const GZIP_LEVEL: u32 = 6;
const ZSTD_LEVEL: i32 = 3;
/// Magic, deflate, no flags, no time, default level, an unknown system.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// The last block of a deflate stream, without content.
const LAST_BLOCK: [u8; 2] = [3, 0];

/// A piece of text as the pool hands it on.
pub(super) enum Piece {
    /// To be written, or compressed, as it is.
    Text(Vec<u8>),
    /// Deflated.
    Deflated { blocks: Vec<u8>, crc: Crc },
}

impl Piece {
    /// Does what can be done on the pool.
    pub(super) fn new(text: Vec<u8>, compression: TextCompression) -> io::Result<Self> {
        if compression != TextCompression::Gzip {
            return Ok(Self::Text(text));
        }
        let mut crc = Crc::new();
        crc.update(&text);
        let blocks = deflate(&text)?;
        Ok(Self::Deflated { blocks, crc })
    }
}

/// The blocks of a text, none of which is the last one.
fn deflate(text: &[u8]) -> io::Result<Vec<u8>> {
    /// Room that must be left when the compressor says that it has written all.
    const SPARE: usize = 64;
    let mut compress = Compress::new(Compression::new(GZIP_LEVEL), false);
    let mut blocks = Vec::with_capacity(text.len() / 3 + SPARE);
    loop {
        let read = compress.total_in() as usize;
        let status = compress.compress_vec(&text[read..], &mut blocks, FlushCompress::Sync);
        match status.map_err(io::Error::other)? {
            Status::Ok | Status::BufError => {}
            Status::StreamEnd => return Err(io::Error::other("deflate ended early")),
        }
        if compress.total_in() as usize == text.len() && blocks.len() < blocks.capacity() {
            return Ok(blocks);
        }
        blocks.reserve(blocks.capacity() / 2 + SPARE);
    }
}

/// Counts the bytes that pass.
pub(super) struct Counted<W> {
    out: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A file of pieces.
pub(super) enum Packed<W: Write> {
    Plain(Counted<W>),
    Gzip { out: Counted<W>, crc: Crc },
    Zstd(zstd::Encoder<'static, Counted<W>>),
}

impl<W: Write> Packed<W> {
    pub(super) fn begin(out: W, compression: TextCompression) -> io::Result<Self> {
        let mut out = Counted { out, bytes: 0 };
        Ok(match compression {
            TextCompression::None => Self::Plain(out),
            TextCompression::Gzip => {
                out.write_all(&GZIP_HEADER)?;
                let crc = Crc::new();
                Self::Gzip { out, crc }
            }
            TextCompression::Zstd => {
                let mut encoder = zstd::Encoder::new(out, ZSTD_LEVEL)?;
                encoder.include_checksum(true)?;
                Self::Zstd(encoder)
            }
        })
    }

    /// Appends a piece. All of it is written when this returns.
    pub(super) fn append(&mut self, piece: &Piece) -> io::Result<()> {
        match (self, piece) {
            (Self::Plain(out), Piece::Text(text)) => out.write_all(text),
            (Self::Zstd(encoder), Piece::Text(text)) => {
                encoder.write_all(text)?;
                encoder.flush()
            }
            (Self::Gzip { out, crc }, Piece::Deflated { blocks, crc: more }) => {
                crc.combine(more);
                out.write_all(blocks)
            }
            _ => Err(io::Error::other("a piece of another compression")),
        }
    }

    /// Writes the end of the stream.
    pub(super) fn end(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Gzip { out, crc } => {
                out.write_all(&LAST_BLOCK)?;
                out.write_all(&crc.sum().to_le_bytes())?;
                out.write_all(&crc.amount().to_le_bytes())
            }
            Self::Zstd(encoder) => encoder.do_finish(),
        }
    }

    /// Bytes written so far.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Plain(out) | Self::Gzip { out, .. } => out.bytes,
            Self::Zstd(encoder) => encoder.get_ref().bytes,
        }
    }

    pub(super) fn inner_mut(&mut self) -> &mut W {
        match self {
            Self::Plain(out) | Self::Gzip { out, .. } => &mut out.out,
            Self::Zstd(encoder) => &mut encoder.get_mut().out,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn pieces_become_one_stream_that_any_reader_reads() {
        let text = |piece: usize| -> Vec<u8> {
            let line = |row: usize| format!("C{}\t{row}\n", (row * 2_654_435_761) ^ piece);
            (0..piece * 700).map(line).collect::<String>().into()
        };
        let pieces: Vec<_> = [3, 0, 40, 1].map(text).into();
        for compression in [
            TextCompression::None,
            TextCompression::Gzip,
            TextCompression::Zstd,
        ] {
            let mut packed = Packed::begin(Vec::new(), compression).unwrap();
            for piece in &pieces {
                packed
                    .append(&Piece::new(piece.clone(), compression).unwrap())
                    .unwrap();
            }
            packed.end().unwrap();
            let file = packed.inner_mut().as_slice();
            let mut read = Vec::new();
            match compression {
                TextCompression::None => read.extend(file),
                // It reads one member and no more.
                TextCompression::Gzip => {
                    flate2::read::GzDecoder::new(file)
                        .read_to_end(&mut read)
                        .unwrap();
                }
                TextCompression::Zstd => {
                    let decoder = zstd::Decoder::new(file).unwrap();
                    decoder.single_frame().read_to_end(&mut read).unwrap();
                }
            }
            assert!(
                read == pieces.concat(),
                "{compression:?}: {} bytes",
                read.len()
            );
        }
    }
}
