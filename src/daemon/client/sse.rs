//! Server-sent events out of a stream of bytes, as the HTML standard defines them: lines end with LF, CR
//! or both, a blank line ends an event, a line that begins with a colon is a comment.

/// An event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// Its kind; `message` by default.
    pub event: String,
    /// Its id, if it has one.
    pub id: Option<String>,
    /// Its data; several `data` lines are joined by line ends.
    pub data: String,
}

/// Why a stream cannot be parsed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    /// An event is too large.
    #[error("an event is larger than {0} bytes")]
    TooLarge(usize),
    /// A line is not UTF-8.
    #[error("an event is not UTF-8")]
    NotUtf8,
}

/// Parses a stream piece by piece.
#[derive(Debug)]
pub struct SseReader {
    /// The incomplete line.
    line: Vec<u8>,
    /// Whether the last byte was a CR, whose LF may follow.
    after_cr: bool,
    /// Whether a line has been read; a byte-order mark may precede the first one.
    begun: bool,
    event: SseEvent,
    has_data: bool,
    bytes_max: usize,
}

impl SseReader {
    /// A reader of events of at most `bytes_max` bytes each.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            line: Vec::new(),
            after_cr: false,
            begun: false,
            event: SseEvent::default(),
            has_data: false,
            bytes_max,
        }
    }

    /// Appends `bytes` and returns the events that are now complete.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Vec<SseEvent>, SseError> {
        let mut events = Vec::new();
        for &byte in bytes {
            let lf_of_cr = byte == b'\n' && self.after_cr;
            self.after_cr = byte == b'\r';
            match byte {
                b'\n' if lf_of_cr => {}
                b'\n' | b'\r' => events.extend(self.end_line()?),
                _ if self.line.len() + self.event.data.len() >= self.bytes_max => {
                    return Err(SseError::TooLarge(self.bytes_max));
                }
                _ => self.line.push(byte),
            }
        }
        Ok(events)
    }

    fn end_line(&mut self) -> Result<Option<SseEvent>, SseError> {
        let line = std::mem::take(&mut self.line);
        let line = std::str::from_utf8(&line).map_err(|_| SseError::NotUtf8)?;
        let first = !std::mem::replace(&mut self.begun, true);
        let line = if first {
            line.trim_start_matches('\u{feff}')
        } else {
            line
        };
        if line.is_empty() {
            return Ok(self.end_event());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.event.event = value.to_owned(),
            "id" => self.event.id = Some(value.to_owned()),
            "data" => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
                self.has_data = true;
            }
            // A comment, `retry`, or a field of a later standard.
            _ => {}
        }
        Ok(None)
    }

    /// Ends an event; one without data is dropped.
    fn end_event(&mut self) -> Option<SseEvent> {
        let mut event = std::mem::take(&mut self.event);
        if !std::mem::take(&mut self.has_data) {
            return None;
        }
        if event.event.is_empty() {
            event.event = "message".into();
        }
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "\u{feff}: hello\n\nevent: state\r\nid: 4\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\n\
                          event: progress\rdata:{\"é\":2}\r\r: \n\nid: 5\n\ndata\n\n";

    fn expected() -> Vec<SseEvent> {
        let event = |event: &str, id: Option<&str>, data: &str| SseEvent {
            event: event.into(),
            id: id.map(Into::into),
            data: data.into(),
        };
        vec![
            event("state", Some("4"), "{\"a\":\n1}"),
            event("progress", None, "{\"é\":2}"),
            event("message", None, ""),
        ]
    }

    #[test]
    fn events_are_the_same_however_their_bytes_are_split() {
        for size in 1..STREAM.len() {
            let mut reader = SseReader::new(64);
            let events = STREAM.as_bytes().chunks(size);
            let events: Vec<_> = events.flat_map(|part| reader.take(part).unwrap()).collect();
            assert_eq!(events, expected(), "split every {size} bytes");
        }
    }

    #[test]
    fn an_event_without_end_is_not_kept() {
        let mut reader = SseReader::new(16);
        assert_eq!(reader.take(&[b'x'; 64]), Err(SseError::TooLarge(16)));
        let mut reader = SseReader::new(16);
        let lines = b"data: 123\n".repeat(20);
        assert_eq!(reader.take(&lines), Err(SseError::TooLarge(16)));
        assert_eq!(
            SseReader::new(16).take(b"data: \xff\n"),
            Err(SseError::NotUtf8)
        );
    }
}
