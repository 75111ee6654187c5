//! Strings with holes.

use crate::builtins;
use crate::check::context::Checker;
use crate::check::expr::Brief;
use crate::diagnostic::{Code, Diagnostic};
use crate::syntax::ast::{Expr, TemplatePart};
use crate::types::Type;

impl Checker<'_> {
    /// A string with holes: what stands in them must have a text of its own.
    pub(crate) fn template(&mut self, parts: &[TemplatePart]) -> Type {
        for part in parts {
            if let TemplatePart::Hole(hole) = part {
                self.hole(hole);
            }
        }
        Type::String
    }

    fn hole(&mut self, hole: &Expr) {
        let found = self.infer(hole, None);
        if builtins::has_text(&found) {
            return;
        }
        if found.allows_null() && builtins::has_text(&found.without_null()) {
            self.report_nullable(hole, &found, "a string's `{{ }}`");
            return;
        }
        if found == Type::Json {
            self.report_json(hole, Some(&Type::String), "a string's `{{ }}` needs a text or number");
            return;
        }
        let message = format!("`{}` cannot stand in a string", Brief(&found));
        let wrong = Diagnostic::new(Code::INTERPOLATION, hole.span, message);
        let wrong = match &found {
            Type::List(of) if builtins::has_text(of) => {
                wrong.suggest("join its items", hole.span.after(), ".join(\", \")").help("join its items to one text")
            }
            Type::Null => wrong.help("leave it out"),
            Type::Image | Type::File => {
                wrong.suggest("show its address", hole.span.after(), ".url").help("its address is `.url`")
            }
            Type::Schema(_) => wrong.help("only a value has a text"),
            _ => wrong
                .suggest("show it as JSON", hole.span.after(), ".json()")
                .help("name one of its fields, or show all of it as JSON with `.json()`"),
        };
        self.report(wrong);
    }
}
