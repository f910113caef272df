//! Server-sent events out of a stream of bytes, as the daemon writes them: lines end with LF, a blank line ends an
//! event, a line that begins with a colon is a comment.

/// An event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// Its kind.
    pub event: String,
    /// Its id, if it has one.
    pub id: Option<String>,
    /// Its data.
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
    /// The incomplete event.
    pending: Vec<u8>,
    bytes_max: usize,
}

impl SseReader {
    /// A reader of events of at most `bytes_max` bytes each.
    pub fn new(bytes_max: usize) -> Self {
        let pending = Vec::new();
        Self { pending, bytes_max }
    }

    /// Appends `bytes` and returns the events that are now complete.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Vec<SseEvent>, SseError> {
        let mut searched = self.pending.len().saturating_sub(1);
        self.pending.extend_from_slice(bytes);
        let mut events = Vec::new();
        while let Some(end) = memchr::memmem::find(&self.pending[searched..], b"\n\n") {
            let event: Vec<u8> = self.pending.drain(..searched + end + 2).collect();
            events.extend(parse(&event)?);
            searched = 0;
        }
        if self.pending.len() > self.bytes_max {
            return Err(SseError::TooLarge(self.bytes_max));
        }
        Ok(events)
    }
}

/// The event of these lines; none if they have no data.
fn parse(lines: &[u8]) -> Result<Option<SseEvent>, SseError> {
    let lines = std::str::from_utf8(lines).map_err(|_| SseError::NotUtf8)?;
    let mut event = SseEvent::default();
    for line in lines.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
        match field {
            "event" => event.event = value,
            "id" => event.id = Some(value),
            "data" => event.data = value,
            // A comment, or a field of a later version.
            _ => {}
        }
    }
    Ok(Some(event).filter(|event| !event.data.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = ": hello\n\nevent: state\nid: 4\ndata: {\"a\":1}\n\n\
                          event: progress\ndata:{\"é\":2}\n\n: \n\nid: 5\n\n";

    #[test]
    fn events_are_the_same_however_their_bytes_are_split() {
        let event = |event: &str, id: Option<&str>, data: &str| SseEvent {
            event: event.into(),
            id: id.map(Into::into),
            data: data.into(),
        };
        let expected = [
            event("state", Some("4"), "{\"a\":1}"),
            event("progress", None, "{\"é\":2}"),
        ];
        for size in 1..=STREAM.len() {
            let mut reader = SseReader::new(64);
            let events = STREAM.as_bytes().chunks(size);
            let events: Vec<_> = events.flat_map(|part| reader.take(part).unwrap()).collect();
            assert_eq!(events, expected, "split every {size} bytes");
        }
    }

    #[test]
    fn an_event_without_end_is_not_kept() {
        for event in [b"x".repeat(64), b"data: 123\n".repeat(20)] {
            let read = SseReader::new(16).take(&event);
            assert_eq!(read, Err(SseError::TooLarge(16)));
        }
        let read = SseReader::new(16).take(b"data: \xff\n\n");
        assert_eq!(read, Err(SseError::NotUtf8));
    }
}
