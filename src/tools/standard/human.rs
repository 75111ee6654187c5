//! `human` and `signal`: waiting for the world outside.

use crate::tools::standard::Namespace;
use crate::types::{Annotations, Signature, Type};

pub(super) fn human() -> Namespace {
    Namespace::of(
        "human",
        "People. The run waits (`run.waiting` says for what) until the program that started it hands in an answer, for \
         as long as it takes unless the step has a `timeout`; `flowc run` asks the person at the terminal, `flowc mcp` the \
         client's.",
        [ask(), approve()],
    )
}

pub(super) fn signal() -> Namespace {
    let wait = Signature::new(
        "signal.wait",
        "Waits until the program that started the run sends it a signal of this name, and gives the signal's value. A \
         signal that came before is there at once; each is given to one step.",
        Type::Var("T".into()),
    )
    .generic("T")
    .param("name", Type::String, "The signal's name.")
    .param("into", Type::schema(Type::Var("T".into())), "The type of its value.")
    .annotated(Annotations::read_only());
    Namespace::of("signal", "Messages from outside to a run that waits for them.", [wait])
}

fn ask() -> Signature {
    Signature::new(
        "human.ask",
        "Asks a person, and gives the answer. One that does not fit the type is refused, and the run waits on.",
        Type::Var("T".into()),
    )
    .generic("T")
    .param("question", Type::String, "What to ask.")
    .param("into", Type::schema(Type::Var("T".into())), "The type of the answer: `string`, or a choice of texts.")
    .optional("details", Type::Json, None, "What a person needs to know to answer.")
    .optional(
        "form",
        Type::Json,
        None,
        "What a form shows besides, in the words of JSON Schema: `title`, `description`, `default`, `oneOf` with titles; \
         of a record for each field, by its name.",
    )
    .annotated(Annotations::read_only())
}

fn approve() -> Signature {
    Signature::new("human.approve", "Asks a person for a yes or a no.", Type::Bool)
        .param("question", Type::String, "What to approve.")
        .optional("details", Type::Json, None, "What a person needs to know to decide.")
        .annotated(Annotations::read_only())
}
