//! Event streams: what comes after `data:` in `text/event-stream`
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>).

use std::collections::VecDeque;

use crate::run::ToolError;
use crate::tools::http::Incoming;

/// The events of an answer, as they come. Their names are left out: the APIs repeat them in the data.
pub(crate) struct Events {
    incoming: Incoming,
    decoder: Decoder,
}

impl Events {
    pub(super) fn new(incoming: Incoming) -> Self {
        Self { incoming, decoder: Decoder::default() }
    }

    /// The data of the next event; none at the end. An event that its empty line does not end is no event.
    ///
    /// # Errors
    /// Those of the client.
    pub(crate) async fn next(&mut self) -> Result<Option<String>, ToolError> {
        loop {
            if let Some(data) = self.decoder.ready.pop_front() {
                return Ok(Some(data));
            }
            match self.incoming.chunk().await? {
                Some(chunk) => self.decoder.feed(&chunk),
                None => return Ok(None),
            }
        }
    }
}

/// Cuts bytes into events, wherever the network cut them.
#[derive(Default)]
struct Decoder {
    line: Vec<u8>,
    after_cr: bool,
    data: Option<String>,
    ready: VecDeque<String>,
}

impl Decoder {
    fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let second_of_two = byte == b'\n' && self.after_cr;
            self.after_cr = byte == b'\r';
            match byte {
                b'\n' if second_of_two => {}
                b'\n' | b'\r' => self.end_line(),
                _ => self.line.push(byte),
            }
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            self.ready.extend(self.data.take());
            return;
        }
        let line = String::from_utf8_lossy(&line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        if field.trim_start_matches('\u{feff}') == "data" {
            let value = value.strip_prefix(' ').unwrap_or(value);
            match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_the_same_however_they_are_cut() {
        let text = "\u{feff}data: één\r\n\r\n: comment\r\nevent: x\ndata: a\ndata:  b\n\nevent: empty\n\nid: 3\rdata\r\rdata: cut off";
        let expected = ["één", "a\n b", ""];
        for size in 1..text.len() {
            let mut decoder = Decoder::default();
            text.as_bytes().chunks(size).for_each(|chunk| decoder.feed(chunk));
            assert_eq!(Vec::from(decoder.ready), expected, "in pieces of {size}");
        }
    }
}
