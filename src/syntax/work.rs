//! How much work tangled text costs the grammar.

use pest::Parser as _;

use super::guard;
use super::parse::{Grammar, Rule};
use crate::source::FileId;

/// How often pest may try something for a byte of text. Honest source takes 3.
const MOST_CALLS: usize = 25;

/// What text is tangled of: what opens, closes, is read twice by a careless grammar, or ends a line.
const PIECES: [&str; 44] = [
    "\"",
    "'",
    "\"\"\"",
    "{{",
    "}}",
    "\"{{ ",
    "\"}} ",
    "'\"",
    "\\",
    "\\{{",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "f(",
    "a<",
    ">",
    "f(a<{ b: ",
    "f(a<\"{{ ",
    ").g(",
    "\n",
    " ",
    "step ",
    "step x \"{{ ",
    " = ",
    "let x = ",
    "if ",
    " then ",
    " else ",
    "match x {",
    " => ",
    "x => ",
    "fn f(",
    "type a = ",
    "@a(",
    "| ",
    "? ",
    ", ",
    "...",
    "a.",
    "- not ",
    "is { a: \"{{ ",
];

/// Set in the process that counts the work: pest's limit is one for the whole of a process, so it has one of its own.
const COUNTS: &str = "FLOWC_TEST_COUNTS_WORK";

#[test]
#[expect(clippy::disallowed_methods, reason = "it starts itself")]
fn the_work_grows_with_the_text() {
    if std::env::var_os(COUNTS).is_some() {
        return tangled_text_is_read_within_the_limit();
    }
    let itself = std::env::current_exe().unwrap();
    let counted = ["--exact", "syntax::work::the_work_grows_with_the_text"];
    let ran = std::process::Command::new(itself).args(counted).env(COUNTS, "1").output().unwrap();
    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && told.contains("1 passed"), "{told}{}", String::from_utf8_lossy(&ran.stderr));
}

fn tangled_text_is_read_within_the_limit() {
    let mut read = 0;
    for text in tangles() {
        for text in [format!("flow f() {{ {text} }}"), text] {
            read += usize::from(is_read(&text));
        }
    }
    assert!(read > 1000, "only {read} texts were not refused");
}

/// Reads a text within the limit; gives whether it was read at all.
fn is_read(text: &str) -> bool {
    let scan = guard::scan(text, FileId::default());
    if scan.refused {
        return false;
    }
    let text = scan.mended.as_ref().map_or(text, |mended| &mended.text);
    let code = guard::without_comments(text, &scan.comments);
    let limit = MOST_CALLS * (code.len() + 200);
    pest::set_call_limit(std::num::NonZeroUsize::new(limit));
    let result = Grammar::parse(Rule::file, &code);
    assert!(result.is_ok(), "more than {limit} calls for {} bytes: {code:?}", code.len());
    true
}

/// Every two pieces over and over, nested as deep as may be, and any pieces in a row.
fn tangles() -> Vec<String> {
    let mut texts = Vec::new();
    for one in PIECES {
        for other in PIECES {
            let pair = format!("{one}{other}");
            texts.push(pair.repeat(400 / pair.len()));
            texts.push(format!("{}x{}", pair.repeat(12), "\n".repeat(2)));
        }
    }
    let mut seed = 7_u64;
    let mut any = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        PIECES[(seed >> 33) as usize % PIECES.len()]
    };
    for _ in 0..1500 {
        let row: String = (0..6).map(|_| any()).collect();
        texts.push(row.repeat(6));
        texts.push((0..80).map(|_| any()).collect());
    }
    texts
}
