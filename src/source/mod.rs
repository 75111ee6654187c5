//! Source text: files, spans into them, and the line index that turns a byte offset into a line and a column.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Which file of a [`Sources`] a span points into. The file named on the command line is 0; imports follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileId(pub u32);

/// A half-open range of bytes in one file. Always on character boundaries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// The file it points into.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// A span over `start..end` of `file`.
    pub fn new(file: FileId, start: usize, end: usize) -> Self {
        Self { file, start: start as u32, end: end as u32 }
    }

    /// The smallest span that covers both; they must be of one file.
    #[must_use]
    pub fn to(self, other: Span) -> Self {
        Self { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The empty span before the first byte.
    #[must_use]
    pub fn before(self) -> Self {
        Self { end: self.start, ..self }
    }

    /// The empty span after the last byte.
    #[must_use]
    pub fn after(self) -> Self {
        Self { start: self.end, ..self }
    }

    /// Its bytes as a range.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A line and a column, both from 1; the column counts characters (Unicode scalar values).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Byte offset, from 0.
    pub offset: u32,
}

/// One source text with its name and line index. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SourceFile {
    name: Arc<str>,
    text: Arc<str>,
    /// Byte offset of each line's first byte; the first is 0.
    lines: Arc<[u32]>,
}

impl SourceFile {
    /// A file from its name (a path as the user wrote it, or `<stdin>`) and its text.
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        let text: Arc<str> = text.into();
        let starts = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at as u32 + 1);
        let lines = std::iter::once(0).chain(starts).collect();
        Self { name: name.into(), text, lines }
    }

    /// Reads a file as UTF-8.
    ///
    /// # Errors
    /// Whatever reading gives; text that is not UTF-8 is [`std::io::ErrorKind::InvalidData`].
    pub fn read(path: impl AsRef<Path>) -> std::io::Result<Self> {
        let path = path.as_ref();
        Ok(Self::new(path.to_string_lossy().as_ref(), std::fs::read_to_string(path)?))
    }

    /// The name it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The whole text, shared.
    pub fn shared_text(&self) -> Arc<str> {
        Arc::clone(&self.text)
    }

    /// The text under a span; empty where the span does not fit.
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or_default()
    }

    /// Where a byte offset is; offsets past the end are the end.
    pub fn position(&self, offset: u32) -> Position {
        let offset = offset.min(self.text.len() as u32);
        let line = self.lines.partition_point(|start| *start <= offset).max(1);
        let start = self.lines.get(line - 1).copied().unwrap_or(0);
        let column = self.text.get(start as usize..offset as usize).map_or(0, |s| s.chars().count());
        Position { line: line as u32, column: column as u32 + 1, offset }
    }

    /// The text of a line (from 1) without its line break.
    pub fn line(&self, line: u32) -> &str {
        let at = (line as usize).saturating_sub(1);
        let start = self.lines.get(at).map_or(self.text.len(), |s| *s as usize);
        let end = self.lines.get(at + 1).map_or(self.text.len(), |s| *s as usize);
        self.text.get(start..end).unwrap_or_default().trim_end_matches(['\n', '\r'])
    }

    /// How many lines there are; a text that ends with a line break has an empty last one.
    pub fn line_count(&self) -> u32 {
        self.lines.len() as u32
    }

    /// The byte offset of a line's first byte (lines from 1); the end of the text for lines past the last.
    pub fn line_start(&self, line: u32) -> u32 {
        self.lines.get((line as usize).saturating_sub(1)).copied().unwrap_or(self.text.len() as u32)
    }

    /// A line and a column in UTF-16 units, both from 0, as editors speak.
    pub fn utf16(&self, offset: u32) -> (u32, u32) {
        let at = self.position(offset);
        let start = self.lines.get(at.line as usize - 1).copied().unwrap_or(0);
        let units = self.text.get(start as usize..at.offset as usize).map_or(0, |s| s.encode_utf16().count());
        (at.line - 1, units as u32)
    }

    /// The byte offset of a line and a column in UTF-16 units, both from 0; what lies past a line's end is its end.
    pub fn offset_of_utf16(&self, line: u32, column: u32) -> u32 {
        let Some(start) = self.lines.get(line as usize).copied() else { return self.text.len() as u32 };
        let mut units = 0;
        let mut offset = start;
        for c in self.line(line + 1).chars() {
            if units >= column {
                break;
            }
            units += c.len_utf16() as u32;
            offset += c.len_utf8() as u32;
        }
        offset
    }
}

/// The files of one program, by [`FileId`].
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

impl Sources {
    /// Sources that hold just this file, as file 0.
    pub fn of(file: SourceFile) -> Self {
        Self { files: vec![file] }
    }

    /// Adds a file and gives its id.
    pub fn add(&mut self, file: SourceFile) -> FileId {
        self.files.push(file);
        FileId(self.files.len() as u32 - 1)
    }

    /// The file of an id.
    pub fn get(&self, id: FileId) -> Option<&SourceFile> {
        self.files.get(id.0 as usize)
    }

    /// All files with their ids, in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        self.files.iter().enumerate().map(|(at, file)| (FileId(at as u32), file))
    }

    /// The text under a span; empty where there is none.
    pub fn slice(&self, span: Span) -> &str {
        self.get(span.file).map_or("", |file| file.slice(span))
    }

    /// `name:line:column` of a span's start.
    pub fn locate(&self, span: Span) -> String {
        let Some(file) = self.get(span.file) else { return String::new() };
        let at = file.position(span.start);
        format!("{}:{}:{}", file.name(), at.line, at.column)
    }
}

/// Finds the files that a `use` names. The host decides what a path means; the checker never touches a disk.
pub trait Loader {
    /// Loads `path` as written in a `use` of the file named `from`.
    ///
    /// # Errors
    /// A sentence that says why there is no such file, for the diagnostic.
    fn load(&self, from: &str, path: &str) -> Result<SourceFile, String>;
}

/// A loader that knows no files: every `use` is an error.
pub struct NoLoader;

impl Loader for NoLoader {
    fn load(&self, _from: &str, path: &str) -> Result<SourceFile, String> {
        Err(format!("`{path}` cannot be read: this host loads no files"))
    }
}

/// Reads imports from disk, relative to the file that names them.
pub struct DiskLoader;

impl Loader for DiskLoader {
    fn load(&self, from: &str, path: &str) -> Result<SourceFile, String> {
        let base = Path::new(from).parent().unwrap_or(Path::new(""));
        let mut full = std::path::PathBuf::new();
        for part in base.join(path).components() {
            match part {
                std::path::Component::CurDir => {}
                std::path::Component::ParentDir if full.file_name().is_some_and(|n| n != "..") => {
                    full.pop();
                }
                part => full.push(part),
            }
        }
        SourceFile::read(&full).map_err(|why| format!("`{}` cannot be read: {why}", full.display()))
    }
}
