//! The source that the benches read.

use std::fmt::Write;

use flowc::source::SourceFile;

pub(crate) const SIZES: [usize; 3] = [10 << 10, 100 << 10, 1000 << 10];

/// A script of about `size` bytes: flows, functions and tests as people write them.
pub(crate) fn script(size: usize) -> SourceFile {
    let mut text = String::with_capacity(size + 1024);
    let mut at = 0;
    while text.len() < size {
        let _ = write!(
            text,
            r#"
/// Reads pages, the {at}th way.
flow read_{at}(urls: list<url>, at_once: int = 8) -> list<Row_{at}> {{
    step pages "Read {{{{urls.length}}}} pages" = parallel for url in urls limit at_once {{
        step page "Read {{{{url.host}}}}" = try web.scrape(url) retry 2 backoff 500ms..10s timeout 20s
        yield {{ url, page }}
    }}
    let failed = pages.filter(p => not p.page.success)
    if failed.length == pages.length {{
        fail "none of the {{{{urls.length}}}} pages could be read"
    }}
    step rows = for p in pages {{
        if p.page.success {{
            yield {{ url: p.url, title: p.page.result.title, words: p.page.result.word_count }}
        }}
    }}
    return rows.sort_by(r => -r.words).map(r => {{ url: r.url, title: headline_{at}(r.title, 80), words: r.words + 2 * 3 }})
}}

type Row_{at} = {{ url: url, title: string, words: int }}

fn headline_{at}(text: string, most: int) -> string {{
    if text.length > most and most > 3 {{
        return "{{{{text.slice(0, most - 3)}}}}..."
    }}
    return match text {{
        "" => "untitled",
        other => other.trim(),
    }}
}}
"#
        );
        at += 1;
    }
    SourceFile::new("generated.flow", text)
}
