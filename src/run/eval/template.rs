//! Strings with holes.

use crate::program::TemplatePart;
use crate::run::eval::{Cx, Evaluated, peek};
use crate::types::Text;
use crate::value::Value;

/// How large a scratch text is kept for the next template.
const KEPT_SCRATCH: usize = 64 << 10;

impl Cx<'_> {
    /// A string with holes, put together in one text that all templates of an evaluation share.
    pub(super) fn template(&mut self, parts: &[TemplatePart], frame: &mut [Value]) -> Evaluated {
        // A template inside a hole finds no scratch and makes its own.
        let mut text = std::mem::take(&mut self.scratch);
        text.clear();
        for part in parts {
            match part {
                TemplatePart::Text(part) => text.push_str(part),
                TemplatePart::Hole(hole) => match peek(self.host, hole, frame) {
                    Some(value) => value.write_text(&mut text),
                    None => self.deeper(hole, frame)?.write_text(&mut text),
                },
            }
            self.room(text.len())?;
        }
        self.spend((parts.len() + text.len() / 16) as u64)?;
        let result = Value::String(Text::new(&text));
        if text.capacity() <= KEPT_SCRATCH {
            self.scratch = text;
        }
        Ok(result)
    }
}
