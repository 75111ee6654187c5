//! Values as text: what `{{ }}`, `join` and `to_string` write.

use std::fmt::Write;

use crate::value::{Value, format_duration};

impl Value {
    /// Writes its text: strings and urls as they are, ints plainly, floats in the fewest digits that tell them from
    /// every other float (`5`, `0.1`, `6.02e23`), instants as RFC 3339, durations as the language writes them, null
    /// as nothing; lists, records and maps as JSON.
    pub fn write_text(&self, to: &mut String) {
        match self {
            Value::Null => {}
            Value::String(text) => to.push_str(text),
            Value::Int(int) => write_int(*int, to),
            Value::Float(float) => write_float(*float, to),
            Value::Bool(bool) => to.push_str(if *bool { "true" } else { "false" }),
            Value::Duration(millis) => to.push_str(&format_duration(*millis)),
            Value::Datetime(at) => {
                let _ = write!(to, "{at}");
            }
            Value::List(_) | Value::Record(_) | Value::Map(_) | Value::Secret(_) => to.push_str(&self.to_json_text()),
        }
    }

    /// Its text; see [`Value::write_text`].
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        self.write_text(&mut text);
        text
    }
}

/// Decimal digits, two at a time (as the crate `itoa` does).
pub(crate) fn write_int(int: i64, to: &mut String) {
    const PAIRS: &[u8; 200] = b"\
        0001020304050607080910111213141516171819\
        2021222324252627282930313233343536373839\
        4041424344454647484950515253545556575859\
        6061626364656667686970717273747576777879\
        8081828384858687888990919293949596979899";
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut left = int.unsigned_abs();
    let mut push = |digit: u8| {
        at -= 1;
        if let Some(place) = digits.get_mut(at) {
            *place = digit;
        }
    };
    while left >= 10 {
        let pair = (left % 100) as usize * 2;
        left /= 100;
        push(PAIRS.get(pair + 1).copied().unwrap_or(b'0'));
        push(PAIRS.get(pair).copied().unwrap_or(b'0'));
    }
    if left > 0 || int == 0 {
        push(b'0' + left as u8);
    }
    if int < 0 {
        to.push('-');
    }
    // A number of an even count of digits has no leading zero: `left` was at least 10 when its pair was written.
    to.push_str(digits.get(at..).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or_default());
}

/// As JavaScript writes numbers: with an exponent only from 1e21 up and below 1e-6.
fn write_float(float: f64, to: &mut String) {
    let size = float.abs();
    let _ = if float == 0.0 {
        to.push('0');
        Ok(())
    } else if (1e-6..1e21).contains(&size) {
        write!(to, "{float}")
    } else {
        write!(to, "{float:e}")
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ints_are_written_as_the_standard_library_does() {
        let edges = [0, 1, 9, 10, 11, 99, 100, 101, 999, 1000, 12_345, i64::MAX, i64::MIN, -1, -10, -99, -100];
        for int in edges.into_iter().chain((0..100_000).step_by(7)) {
            assert_eq!(Value::Int(int).to_text(), int.to_string());
        }
    }

    #[test]
    fn floats_have_the_fewest_digits() {
        for (float, text) in
            [(5.0, "5"), (0.1, "0.1"), (-2.5, "-2.5"), (6.02e23, "6.02e23"), (1e-7, "1e-7"), (-0.0, "0")]
        {
            assert_eq!(Value::Float(float).to_text(), text);
        }
    }
}
