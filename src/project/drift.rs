//! What has changed about a tool since it was written into the lock file, and whether programs that were checked against
//! that still hold.

use crate::types::{Param, Signature};

/// A difference between the tool that was and the one that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// In words.
    pub text: String,
    /// Whether programs that were checked against the old tool may fail with the new one.
    pub breaking: bool,
}

/// What has changed. A program holds still where all that it may send is still taken, and all that may come back is of
/// the type it was.
pub(super) fn changes(old: &Signature, new: &Signature) -> Vec<Change> {
    let mut found = Vec::new();
    let mut say = |breaking: bool, text: String| found.push(Change { text, breaking });
    for param in &old.params {
        match new.find(&param.name) {
            None => say(true, format!("- {}", shown(param))),
            Some(now) if now.ty != param.ty || now.required != param.required => {
                let taken = param.ty.fits(&now.ty) && (!now.required || param.required);
                say(!taken, format!("~ {} was {}", shown(now), shown(param)));
            }
            Some(_) => {}
        }
    }
    for param in new.params.iter().filter(|param| old.find(&param.name).is_none()) {
        say(param.required, format!("+ {}", shown(param)));
    }
    if old.result != new.result {
        say(!new.result.fits(&old.result), format!("~ -> {} was {}", new.result, old.result));
    }
    let (was, is) = (&old.annotations, &new.annotations);
    for (name, was, is) in [
        ("read-only", was.read_only, is.read_only),
        ("idempotent", was.idempotent, is.idempotent),
        ("destructive", was.destructive, is.destructive),
    ] {
        if was != is {
            let word = |said: Option<bool>| said.map_or("unsaid", |said| if said { "yes" } else { "no" });
            // What repeats a call relies on it.
            let harmful = if name == "destructive" { is == Some(true) } else { was == Some(true) };
            say(harmful, format!("~ {name}: {} was {}", word(is), word(was)));
        }
    }
    if old.doc != new.doc {
        say(false, "~ its description".to_owned());
    }
    found
}

fn shown(param: &Param) -> String {
    format!("{}{}: {}", param.name, if param.required { "" } else { "?" }, param.ty)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Annotations, Type};

    fn tool() -> Signature {
        let state = Type::union([Type::literal("open"), Type::literal("closed")]);
        Signature::new("a.find", "Finds.", Type::record_of([("name", Type::String), ("age", Type::Int)]))
            .param("state", state, "")
            .optional("limit", Type::Int, None, "")
            .annotated(Annotations::read_only())
    }

    fn told(new: Signature) -> Vec<(bool, String)> {
        changes(&tool(), &new).into_iter().map(|change| (change.breaking, change.text)).collect()
    }

    #[test]
    fn what_takes_more_and_gives_less_is_compatible() {
        assert!(told(tool()).is_empty());
        let mut wider = tool().optional("since", Type::Datetime, None, "");
        wider.params[0].ty = Type::String;
        wider.params[0].required = false;
        let more = [("name", Type::literal("Ada")), ("age", Type::Int), ("more", Type::Bool)];
        wider.result = Type::record_of(more);
        wider.doc = "Finds more.".into();
        let told = told(wider);
        assert!(told.len() == 4 && told.iter().all(|(breaking, _)| !breaking), "{told:?}");
        assert_eq!(told[0].1, r#"~ state?: string was state: "open" | "closed""#);
    }

    #[test]
    fn what_takes_less_gives_else_or_may_do_harm_is_not() {
        let breaks = |change: fn(&mut Signature)| {
            let mut new = tool();
            change(&mut new);
            let told = told(new);
            assert!(told.len() == 1 && told[0].0, "{told:?}");
        };
        breaks(|new| drop(new.params.remove(1)));
        breaks(|new| new.params[0].ty = Type::literal("open"));
        breaks(|new| new.params[1].required = true);
        breaks(|new| *new = new.clone().param("since", Type::Datetime, ""));
        breaks(|new| new.result = Type::record_of([("name", Type::String)]));
        breaks(|new| new.result = Type::Json);
        breaks(|new| new.annotations.read_only = None);
        breaks(|new| new.annotations.destructive = Some(true));
    }
}
