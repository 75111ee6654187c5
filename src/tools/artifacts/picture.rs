//! The four kinds of picture that are kept as such, and whether bytes are one of them from beginning to end: what only
//! begins like a picture, or goes on as something else behind its end, is none.

/// A kind of picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Picture {
    Png,
    Jpeg,
    Webp,
    Gif,
}

/// The longest side in pixels: what JPEG can hold.
const MAX_SIDE: usize = 65_535;

/// The most pixels, a gibibyte of them unpacked: whoever opens the picture has to hold them.
const MAX_PIXELS: usize = 1 << 28;

impl Picture {
    /// The kind that bytes begin as.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            Some(Self::Png)
        } else if bytes.starts_with(b"\xff\xd8\xff") {
            Some(Self::Jpeg)
        } else if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") {
            Some(Self::Gif)
        } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            Some(Self::Webp)
        } else {
            None
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::Webp => "WebP",
            Self::Gif => "GIF",
        }
    }

    pub(super) fn mime_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
            Self::Gif => "image/gif",
        }
    }

    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::Webp => "webp",
            Self::Gif => "gif",
        }
    }

    /// Width and height in pixels, once the bytes are found to be such a picture and nothing else.
    ///
    /// # Errors
    /// What is wrong with them, to follow `a picture is not kept that`.
    pub(super) fn dimensions(self, bytes: &[u8]) -> Result<(u32, u32), String> {
        let end = match self {
            Self::Png => png_end(bytes),
            Self::Jpeg => jpeg_end(bytes),
            Self::Webp => webp_end(bytes),
            Self::Gif => gif_end(bytes),
        };
        let rest = end.and_then(|end| bytes.get(end..)).ok_or("breaks off before its end")?;
        // A camera's second picture may follow its first one.
        let more = self == Self::Jpeg && rest.starts_with(b"\xff\xd8");
        if !more && !rest.iter().all(|byte| matches!(byte, 0 | b'\r' | b'\n')) {
            return Err("goes on as something else behind its end".to_owned());
        }
        if bytes.get(..bytes.len().min(1024)).is_some_and(|head| head.windows(5).any(|five| five == b"%PDF-")) {
            return Err("is a PDF document as well".to_owned());
        }
        let size = imagesize::blob_size(bytes).map_err(|_| "does not say how large it is")?;
        let (width, height) = (size.width, size.height);
        if width == 0 || height == 0 {
            return Err(format!("has no pixels: {width} × {height}"));
        }
        if width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS {
            return Err(format!("is absurdly large: {width} × {height} pixels"));
        }
        Ok((width as u32, height as u32))
    }
}

/// Behind the `IEND` chunk (PNG, third edition, section 5).
fn png_end(bytes: &[u8]) -> Option<usize> {
    let (mut at, mut first, mut data) = (8, true, false);
    loop {
        let length = be32(bytes, at)?;
        let kind = bytes.get(at + 4..at + 8)?;
        if first && (kind != b"IHDR" || length != 13) {
            return None;
        }
        at = at.checked_add(length)?.checked_add(12)?;
        (first, data) = (false, data || kind == b"IDAT");
        if kind == b"IEND" {
            return data.then_some(at);
        }
    }
}

/// Behind the `EOI` marker (ITU-T T.81, annex B).
fn jpeg_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 2;
    loop {
        if *bytes.get(at)? != 0xff {
            return None;
        }
        while *bytes.get(at)? == 0xff {
            at += 1;
        }
        let marker = *bytes.get(at)?;
        at += 1;
        match marker {
            0xd9 => return Some(at),
            0x01 | 0xd0..=0xd7 => continue,
            0x00 | 0xd8 => return None,
            _ => {}
        }
        let length = usize::from(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
        at += length.max(2);
        if marker == 0xda {
            // The entropy-coded data: until a marker that is neither a stuffed byte nor a restart.
            loop {
                at += bytes.get(at..)?.iter().position(|byte| *byte == 0xff)?;
                match *bytes.get(at + 1)? {
                    0x00 | 0xd0..=0xd7 => at += 2,
                    0xff => at += 1,
                    _ => break,
                }
            }
        }
    }
}

/// Behind the RIFF container, whose first chunk is one of the three that a picture begins with (RFC 9649).
fn webp_end(bytes: &[u8]) -> Option<usize> {
    let length = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?) as usize;
    let known = matches!(bytes.get(12..16)?, b"VP8 " | b"VP8L" | b"VP8X");
    let end = length.checked_add(8)?;
    (known && end >= 20 && end <= bytes.len()).then_some(end)
}

/// Behind the trailer, which some writers leave out (GIF's version 89a, sections 17 to 27).
fn gif_end(bytes: &[u8]) -> Option<usize> {
    let table = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let mut at = 13 + table(*bytes.get(10)?);
    let mut pictures = 0;
    loop {
        match bytes.get(at) {
            Some(0x3b) => return (pictures > 0).then_some(at + 1),
            None => return (pictures > 0 && at == bytes.len()).then_some(at),
            Some(0x21) => at += 2,
            Some(0x2c) => {
                pictures += 1;
                at += 11 + table(*bytes.get(at + 9)?);
            }
            Some(_) => return None,
        }
        // Sub-blocks, each with its length before it, up to an empty one.
        loop {
            let length = usize::from(*bytes.get(at)?);
            at += 1 + length;
            if length == 0 {
                break;
            }
        }
    }
}

fn be32(bytes: &[u8], at: usize) -> Option<usize> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize)
}
