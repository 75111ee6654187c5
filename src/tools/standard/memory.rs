//! `memory`: what outlives a run.

use serde_json::json;

use crate::tools::standard::{Namespace, idempotent, reads};
use crate::types::{Annotations, Signature, Type};

pub(super) fn namespace() -> Namespace {
    Namespace::of(
        "memory",
        "Notes that outlive a run, found again by their words. They are kept in a SQLite file.",
        [store(), search(), get(), forget()],
    )
}

fn fields() -> [(&'static str, Type); 5] {
    [
        ("id", Type::String),
        ("text", Type::String),
        ("tags", Type::list(Type::String)),
        ("sources", Type::list(Type::Url)),
        ("stored_at", Type::Datetime),
    ]
}

fn note() -> Type {
    Type::record_of(fields()).named("Note")
}

fn store() -> Signature {
    let stored = Type::record_of([("id", Type::String), ("stored_at", Type::Datetime)]);
    let doc =
        "Remembers a text. The same text is kept once, under the same id: storing it again adds tags and sources.";
    Signature::new("memory.store", doc, stored)
        .param("text", Type::String, "What to remember.")
        .optional("tags", Type::list(Type::String), Some(json!([])), "Words to find it by.")
        .optional("sources", Type::list(Type::Url), Some(json!([])), "Where it comes from.")
        .annotated(idempotent())
}

fn search() -> Signature {
    let [id, text, tags, sources, stored_at] = fields();
    let found = Type::record_of([id, text, tags, sources, stored_at, ("score", Type::Float)]).named("FoundNote");
    let doc = "Finds the notes that share words with a query, the best first. Case and accents do not count. `score` is \
               BM25 over text and tags: more, rarer and denser words score higher; it compares the results of one \
               search, not of several.";
    Signature::new("memory.search", doc, Type::list(found))
        .param("query", Type::String, "Words to look for; a note need not have all of them.")
        .optional("limit", Type::Int, Some(json!(10)), "How many at most.")
        .optional("tags", Type::list(Type::String), Some(json!([])), "Only notes that have all of these tags.")
        .annotated(Annotations::read_only())
}

fn get() -> Signature {
    Signature::new("memory.get", "Gives a note by its id; null where there is none.", note().or_null())
        .param("id", Type::String, "The note's id.")
        .annotated(reads())
}

fn forget() -> Signature {
    Signature::new("memory.forget", "Forgets a note, and tells whether there was one.", Type::Bool)
        .param("id", Type::String, "The note's id.")
        .annotated(Annotations { destructive: Some(true), ..idempotent() })
}
