//! Strings with holes.

use crate::builtins;
use crate::check::context::Checker;
use crate::check::expr::Brief;
use crate::check::literal::is_url;
use crate::diagnostic::{Code, Diagnostic};
use crate::syntax::ast::{Expr, TemplatePart};
use crate::types::Type;

impl Checker<'_> {
    /// A string with holes: what stands in them must have a text of its own. Where a url is wanted, one whose beginning
    /// settles the host is a `url`, whatever the holes after it hold.
    pub(crate) fn template(&mut self, parts: &[TemplatePart], hint: Option<&Type>) -> Type {
        let mut first = None;
        for part in parts {
            if let TemplatePart::Hole(hole) = part {
                let found = self.hole(hole);
                first.get_or_insert(found);
            }
        }
        let wanted = hint.is_some_and(|hint| hint.members().contains(&Type::Url) && !Type::String.fits(hint));
        if wanted && begins_as_url(parts, first.as_ref()) { Type::Url } else { Type::String }
    }

    fn hole(&mut self, hole: &Expr) -> Type {
        let found = self.infer(hole, None);
        self.textual(hole, &found);
        found
    }

    fn textual(&mut self, hole: &Expr, found: &Type) {
        if builtins::has_text(found) {
            return;
        }
        if found.allows_null() && builtins::has_text(&found.without_null()) {
            self.report_nullable(hole, found, "a string's `{{ }}`");
            return;
        }
        if *found == Type::Json {
            self.report_json(hole, Some(&Type::String), "a string's `{{ }}` needs a text or number");
            return;
        }
        let message = format!("`{}` cannot stand in a string", Brief(found));
        let wrong = Diagnostic::new(Code::INTERPOLATION, hole.span, message);
        let wrong = match found {
            Type::List(of) if builtins::has_text(of) => {
                wrong.suggest("join its items to one text", hole.span.after(), ".join(\", \")")
            }
            Type::Null => wrong.help("leave it out"),
            Type::Image | Type::File => wrong.suggest("show its address", hole.span.after(), ".url"),
            Type::Schema(_) => wrong.help("only a value has a text"),
            _ => wrong
                .suggest("show it as JSON", hole.span.after(), ".json()")
                .help("name one of its fields, or show all of it as JSON"),
        };
        self.report(wrong);
    }
}

/// Whether a template is an address whatever its holes hold: the host is settled by `https://host/` in its text, or by a
/// url in its first hole, and a path, query or fragment follows.
fn begins_as_url(parts: &[TemplatePart], first_hole: Option<&Type>) -> bool {
    let continues = |text: &str| text.starts_with(['/', '?', '#']);
    match parts {
        [TemplatePart::Text(text), ..] => {
            let after_scheme = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
            let end = after_scheme.and_then(|rest| rest.find(['/', '?', '#']));
            end.is_some() && is_url(text)
        }
        [TemplatePart::Hole(_)] => first_hole == Some(&Type::Url),
        [TemplatePart::Hole(_), TemplatePart::Text(text), ..] => first_hole == Some(&Type::Url) && continues(text),
        _ => false,
    }
}
