//! `skill`: scripts of the project.

use crate::tools::standard::Namespace;
use crate::types::{Signature, Type};

pub(super) fn namespace() -> Namespace {
    let run = Signature::new(
        "skill.run",
        "Runs a skill: a script of the project that takes JSON and gives JSON. Skills that say what they take are tools \
         of their own, with types.",
        Type::Json,
    )
    .param("name", Type::String, "The skill's name.")
    .optional("input", Type::Json, None, "What it takes, if anything.");
    Namespace::of("skill", "Scripts of the project, each in a folder with a `SKILL.md`.", [run])
}
