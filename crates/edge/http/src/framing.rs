//! Where one request of HTTP/1 ends and the next begins, watched on the bytes before the parser sees them.
//!
//! Whoever makes a proxy and us disagree about that slips the proxy a request it never looked at (request smuggling,
//! RFC 9112, section 11.2). The parser is lenient where leniency is dangerous: of `Content-Length` beside
//! `Transfer-Encoding` it drops the former without a trace, it takes `gzip, chunked`, and lines that end with a bare LF.
//! Here such a request is spoilt on its way: a byte the grammar forbids takes the place of the one in question, and
//! nothing behind it is handed on. So the parser refuses it with 400 and closes, in its turn behind the requests before it.
//!
//! Not here: limits of size and time (`settings`), what headers mean (`headers`).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The longest line of a header that tells the length of a body. Other lines may be longer.
const KEPT: usize = 64;
/// Digits of the size of a chunk: all that 64 bits can have. More would be zeros in front.
const SIZE_DIGITS: u8 = 16;
/// Bytes of the extensions of one chunk, which nobody needs.
const EXTENSION: u16 = 256;

/// The first line of HTTP/2 (RFC 9113, section 3.4), whose frames tell their length one way only.
const PREFACE: &[u8] = b"PRI * HTTP/2.0";
/// How the lines begin that are looked at; each with another letter.
const WATCHED: [&[u8]; 3] = [b"content-length:", b"transfer-encoding:", PREFACE];

/// A connection whose requests have one meaning.
pub(crate) struct Framing<IO> {
    io: IO,
    watch: Watch,
}

impl<IO> Framing<IO> {
    pub(crate) fn new(io: IO) -> Self {
        Self { io, watch: Watch::default() }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Framing<IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Watch::Spoilt(spoilt) = &mut self.watch {
            // The parser waits for the end of a head before it looks at it, and the client may wait for the parser.
            if spoilt.wants_end && buf.remaining() >= 2 {
                spoilt.wants_end = false;
                buf.put_slice(&[spoilt.fill; 2]);
            }
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let result = Pin::new(&mut self.io).poll_read(cx, buf);
        self.watch.look(&mut buf.filled_mut()[before..]);
        result
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Framing<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

/// What comes next.
enum Watch {
    Head(Head),
    /// So many bytes of a body.
    Length(u64),
    Chunk(Chunk),
    /// Nothing that is looked at.
    Frames,
    /// Nothing that may be understood.
    Spoilt(Spoilt),
}

struct Spoilt {
    /// Takes the place of all that is there already.
    fill: u8,
    /// Two more of it are to come.
    wants_end: bool,
}

impl Default for Watch {
    fn default() -> Self {
        Self::Head(Head::default())
    }
}

/// The request can be understood in two ways.
struct Ambiguous;

impl Watch {
    fn look(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            let seen = match self {
                Self::Frames => return,
                Self::Spoilt(spoilt) => return bytes.fill(spoilt.fill),
                Self::Head(_) => self.head(bytes),
                Self::Length(left) => {
                    let (seen, left) = skip(bytes.len(), *left);
                    *self = if left == 0 { Self::default() } else { Self::Length(left) };
                    seen
                }
                Self::Chunk(Chunk::Data(left)) => {
                    let (seen, left) = skip(bytes.len(), *left);
                    *self = Self::Chunk(if left == 0 { Chunk::DataCr } else { Chunk::Data(left) });
                    seen
                }
                Self::Chunk(chunk) => {
                    match chunk.next(bytes[0]) {
                        Ok(Some(next)) => *chunk = next,
                        Ok(None) => *self = Self::default(),
                        Err(spoil) => {
                            bytes[0] = spoil;
                            *self = Self::Spoilt(Spoilt { fill: 0, wants_end: true });
                        }
                    }
                    1
                }
            };
            bytes = &mut bytes[seen..];
        }
    }

    /// Looks at the rest of a line, or as much of it as there is; how much that was.
    fn head(&mut self, bytes: &mut [u8]) -> usize {
        let Self::Head(head) = self else { return 0 };
        let end = bytes.iter().position(|byte| *byte == b'\n');
        head.line.add(&bytes[..end.unwrap_or(bytes.len())]);
        let Some(end) = end else { return bytes.len() };
        match head.line_is_complete() {
            Ok(None) => {}
            Ok(Some(next)) => *self = next,
            Err(Ambiguous) => {
                bytes[end] = 0;
                // Ends the head, so that it is looked at.
                *self = Self::Spoilt(Spoilt { fill: b'\n', wants_end: true });
            }
        }
        end + 1
    }
}

/// How many of `have` bytes belong to a body of which `left` are missing, and how many are missing then.
fn skip(have: usize, left: u64) -> (usize, u64) {
    let seen = usize::try_from(left).unwrap_or(usize::MAX).min(have);
    (seen, left - seen as u64)
}

#[derive(Default)]
struct Head {
    line: Line,
    /// The line that says what is asked is over.
    begun: bool,
    body: Option<BodyFraming>,
}

enum BodyFraming {
    Length(u64),
    Chunked,
}

impl Head {
    /// What comes after the line, if it is the last of the head.
    fn line_is_complete(&mut self) -> Result<Option<Watch>, Ambiguous> {
        let line = std::mem::take(&mut self.line);
        if line.last != b'\r' {
            return Err(Ambiguous);
        }
        let text = line.text();
        match (self.begun, text.is_empty()) {
            // Empty lines before a request count for nothing (RFC 9112, section 2.2).
            (false, true) => Ok(None),
            (false, false) if text == PREFACE => Ok(Some(Watch::Frames)),
            (false, false) => {
                self.begun = true;
                Ok(None)
            }
            (true, true) => Ok(Some(match self.body.take() {
                Some(BodyFraming::Chunked) => Watch::Chunk(Chunk::first()),
                Some(BodyFraming::Length(length @ 1..)) => Watch::Length(length),
                _ => Watch::default(),
            })),
            (true, false) => {
                let Some(body) = body_framing(text, line.is_cut())? else { return Ok(None) };
                // Also of two that say the same: no client writes that, and what a proxy makes of it is its own affair.
                if self.body.replace(body).is_some() { Err(Ambiguous) } else { Ok(None) }
            }
        }
    }
}

/// What a header line says about the length of the body.
fn body_framing(line: &[u8], is_cut: bool) -> Result<Option<BodyFraming>, Ambiguous> {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else { return Ok(None) };
    let value = line[colon + 1..].trim_ascii();
    let name = &line[..colon];
    let body = if name.eq_ignore_ascii_case(b"transfer-encoding") {
        value.eq_ignore_ascii_case(b"chunked").then_some(BodyFraming::Chunked)
    } else if name.eq_ignore_ascii_case(b"content-length") {
        let digits = str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        digits.and_then(|text| text.parse().ok()).map(BodyFraming::Length)
    } else {
        return Ok(None);
    };
    body.filter(|_| !is_cut).map(Some).ok_or(Ambiguous)
}

/// A line: what is kept of it, how long it is and its last byte.
///
/// Kept is the beginning of a line that tells a length, and nothing of others: they hold tokens, which must not lie here
/// after the server is sealed.
struct Line {
    kept: [u8; KEPT],
    /// Which of [`WATCHED`] the line may still be.
    watched: Option<&'static [u8]>,
    length: usize,
    last: u8,
}

impl Default for Line {
    fn default() -> Self {
        Self { kept: [0; KEPT], watched: None, length: 0, last: 0 }
    }
}

impl Line {
    fn add(&mut self, piece: &[u8]) {
        let (Some(first), Some(last)) = (piece.first(), piece.last()) else { return };
        self.last = *last;
        if self.length == 0 {
            self.watched = WATCHED.into_iter().find(|name| name[0].eq_ignore_ascii_case(first));
        }
        let from = self.length.min(KEPT);
        for ((n, kept), byte) in self.kept.iter_mut().enumerate().skip(from).zip(piece) {
            let Some(name) = self.watched else { break };
            if name.get(n).is_some_and(|expected| !expected.eq_ignore_ascii_case(byte)) {
                self.watched = None;
                break;
            }
            *kept = *byte;
        }
        self.length = self.length.saturating_add(piece.len());
    }

    /// As much as is kept, without the CR.
    fn text(&self) -> &[u8] {
        &self.kept[..self.length.saturating_sub(1).min(KEPT)]
    }

    fn is_cut(&self) -> bool {
        self.length > KEPT
    }
}

/// Where in a chunk (RFC 9112, section 7.1) we are.
enum Chunk {
    Size { digits: u8, size: u64 },
    Extension { length: u16, size: u64 },
    SizeLf(u64),
    Data(u64),
    DataCr,
    DataLf,
    EndCr,
    EndLf,
}

impl Chunk {
    const fn first() -> Self {
        Self::Size { digits: 0, size: 0 }
    }

    /// `None` = the body ends here. An error is the byte that is sure to be refused at this place.
    fn next(&self, byte: u8) -> Result<Option<Self>, u8> {
        let next = match (self, byte) {
            (Self::Size { digits, size }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') if *digits < SIZE_DIGITS => {
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                Self::Size { digits: digits + 1, size: size << 4 | u64::from(digit) }
            }
            (Self::Size { digits: 1.., size }, b';') => Self::Extension { length: 0, size: *size },
            (Self::Size { digits: 1.., size } | Self::Extension { size, .. }, b'\r') => Self::SizeLf(*size),
            (Self::Extension { length, size }, b' '..=b'~' | b'\t') if *length < EXTENSION => {
                Self::Extension { length: length + 1, size: *size }
            }
            (Self::SizeLf(0), b'\n') => Self::EndCr,
            (Self::SizeLf(size), b'\n') => Self::Data(*size),
            (Self::DataCr, b'\r') => Self::DataLf,
            (Self::DataLf, b'\n') => Self::first(),
            (Self::EndCr, b'\r') => Self::EndLf,
            (Self::EndLf, b'\n') => return Ok(None),
            // A line break where the parser wants none.
            (Self::Size { .. } | Self::Extension { .. }, _) => return Err(b'\n'),
            // Here the parser would begin with trailers, of which nothing is known to us or anybody. It is told that
            // there are none, and meets something else than the LF that belongs there.
            (Self::EndCr, _) => return Err(b'\r'),
            _ => return Err(0),
        };
        Ok(Some(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens stand in headers and, by an old form, in the first line.
    #[test]
    fn nothing_is_kept_of_other_lines() {
        for text in ["X-Vault-Token: hvs.canary", "Transfer-Token: hvs.canary", "c hvs.canary", "PUT /v1/hvs.canary"] {
            for size in 1..text.len() {
                let mut line = Line::default();
                text.as_bytes().chunks(size).for_each(|piece| line.add(piece));
                assert!(!line.kept.windows(3).any(|kept| kept == b"hvs"), "{text} in pieces of {size}");
                assert_eq!(line.length, text.len());
            }
        }
        let mut line = Line::default();
        line.add(b"Content-Length: 17\r");
        assert_eq!(line.text(), b"Content-Length: 17");
    }

    /// What the parser gets, by whatever pieces the bytes come in.
    fn passed(text: &str) -> Vec<u8> {
        let whole = {
            let mut bytes = text.as_bytes().to_vec();
            Watch::default().look(&mut bytes);
            bytes
        };
        for size in 1..text.len().min(40) {
            let mut watch = Watch::default();
            let mut bytes = text.as_bytes().to_vec();
            bytes.chunks_mut(size).for_each(|piece| watch.look(piece));
            assert_eq!(bytes, whole, "in pieces of {size}");
        }
        whole
    }

    fn is_clean(text: &str) -> bool {
        passed(text) == text.as_bytes()
    }

    fn head(headers: &str) -> String {
        format!("POST /v1/a HTTP/1.1\r\nHost: h\r\n{headers}\r\n")
    }

    const NEXT: &str = "GET /v1/next HTTP/1.1\r\nHost: h\r\n\r\n";
    /// Spoilt if it is taken for a head.
    const BOTH: &str = "POST /v1/a HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n";

    #[test]
    fn what_clients_send_passes() {
        for text in [
            NEXT.to_owned(),
            format!("\r\n{NEXT}\r\n{NEXT}"),
            head("Content-Length: 0\r\n") + NEXT,
            head("content-length:5 \r\nX-Other: a:b\r\n") + "hello" + NEXT,
            // Bodies are nobody's business.
            head(&format!("Content-Length: {}\r\n", BOTH.len())) + BOTH + NEXT,
            head("TRANSFER-ENCODING:\tCHUNKED\r\n") + "5\r\nhello\r\n0\r\n\r\n" + NEXT,
            head("Transfer-Encoding: chunked\r\n") + &format!("{:X};a=b;c\r\n{BOTH}\r\n0\r\n\r\n", BOTH.len()) + NEXT,
            head(&format!("X-Long: {}\r\n", "x".repeat(9000))) + NEXT,
            head("Te: trailers\r\nX-Content-Length: 1\r\nContent-Length-X: 2\r\n") + NEXT,
            format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{BOTH}\n"),
        ] {
            assert!(is_clean(&text), "{text}");
        }
    }

    #[test]
    fn what_has_two_meanings_does_not() {
        for headers in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "Transfer-Encoding: chunked\r\nX-Between: 1\r\ncontent-LENGTH: 5\r\n",
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: identity\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "Transfer-Encoding: \"chunked\"\r\n",
            "Transfer-Encoding: chunked, identity\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding:\r\n",
            "Content-Length: +5\r\n",
            "Content-Length: -5\r\n",
            "Content-Length: 0x5\r\n",
            "Content-Length: 5, 5\r\n",
            "Content-Length:\r\n",
            "Content-Length: 18446744073709551616\r\n",
            "X-Bare: 1\n",
        ] {
            let text = head(headers) + "5\r\nhello\r\n0\r\n\r\n" + NEXT;
            let passed = passed(&text);
            assert!(passed.contains(&0), "{headers}");
            assert!(passed.ends_with(&[b'\n'; NEXT.len()]), "nothing behind it is seen: {headers}");
        }
    }

    #[test]
    fn lines_just_short_and_just_long_enough_to_be_cut() {
        let line = |blanks: usize| format!("Content-Length:{}5", " ".repeat(blanks));
        // The CR counts.
        let most = KEPT - line(0).len() - 1;
        assert!(is_clean(&(head(&format!("{}\r\n", line(most))) + "hello" + NEXT)));
        assert!(!is_clean(&(head(&format!("{}\r\n", line(most + 1))) + "hello" + NEXT)));
    }

    #[test]
    fn chunks_are_written_one_way() {
        let body = |body: &str| head("Transfer-Encoding: chunked\r\n") + body + NEXT;
        let end = "0\r\n\r\n";
        assert!(is_clean(&body(&format!("{:0>16}\r\nhello\r\n{end}", 5))));
        assert!(is_clean(&body(&format!("5;{}\r\nhello\r\n{end}", "x".repeat(256)))));
        for wrong in [
            format!("{:0>17}\r\nhello\r\n{end}", 5),
            format!("5;{}\r\nhello\r\n{end}", "x".repeat(257)),
            format!("5\nhello\r\n{end}"),
            format!("5;a\nhello\r\n{end}"),
            format!("5;a\u{0}\r\nhello\r\n{end}"),
            format!("5\rXhello\r\n{end}"),
            format!("5\r\nhello\n{end}"),
            format!("5\r\nhelloX\r\n{end}"),
            format!("5 \r\nhello\r\n{end}"),
            format!(" 5\r\nhello\r\n{end}"),
            format!("+5\r\nhello\r\n{end}"),
            format!("0x5\r\nhello\r\n{end}"),
            format!("\r\nhello\r\n{end}"),
            format!(";a\r\nhello\r\n{end}"),
            "0\r\nX-Trailer: 1\r\n\r\n".to_owned(),
            "0\r\n\n".to_owned(),
            "0\n\r\n".to_owned(),
        ] {
            let passed = passed(&body(&wrong));
            assert!(passed.ends_with(&[0; NEXT.len()]), "{wrong:?}");
        }
    }
}
