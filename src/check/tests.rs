//! Tests: mocks and asserts.

use std::sync::Arc;

use crate::check::Resolution;
use crate::check::call::Callee;
use crate::check::context::{Checker, Prev};
use crate::check::exits::FrameKind;
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::source::Span;
use crate::syntax::ast::{Expr, Mock, MockAnswer, MockArgs, PatternField, TestDecl};
use crate::types::{Bindings, Signature, Type};

impl Checker<'_> {
    /// Checks a test.
    pub(crate) fn test(&mut self, test: &TestDecl) {
        self.prev = Prev::Nothing("at the start of a block");
        self.body.frames.clear();
        self.body.segments.clear();
        self.body.doubtful = false;
        self.in_test = true;
        self.in_new_path(|checker| {
            checker.within(FrameKind::Test, test.title_span, |checker| checker.block(&test.body))
        });
        self.in_test = false;
    }

    /// `mock tool(pattern) => expr`
    pub(crate) fn mock_statement(&mut self, mock: &Mock, span: Span) {
        if !self.in_test {
            self.belongs_in_test(span, "mock");
            return;
        }
        let Some(tool) = self.tool(&mock.tool) else {
            self.in_new_control(|checker| checker.mock_answer(mock, &Type::Error, ""));
            return;
        };
        self.resolve(mock.id, Resolution::Tool(tool.clone()));
        // What the patterns bind is there for the answer, which is made anew for each call.
        let mark = self.mark();
        if let MockArgs::Record(fields) = &mock.args {
            self.mock_arguments(&tool, fields);
        }
        // What a generic tool gives is settled by each call: a mock may answer anything.
        let result = tool.result.substitute(&Bindings::default(), &Type::Json);
        self.in_new_control(|checker| checker.mock_answer(mock, &result, &tool.name));
        self.leave(mark);
    }

    fn mock_answer(&mut self, mock: &Mock, result: &Type, tool: &str) {
        if let Some(after) = &mock.after {
            self.expect(after, &Type::Duration, "`after`");
        }
        match &mock.answer {
            MockAnswer::Value(value) => {
                let outer = std::mem::replace(&mut self.filling, true);
                self.expect(value, result, format!("the answer of the mock of `{tool}`"));
                self.filling = outer;
            }
            MockAnswer::Fails(kind) => self.error_kind(kind),
        }
    }

    /// Which calls a mock answers: patterns of named arguments.
    fn mock_arguments(&mut self, tool: &Arc<Signature>, fields: &[PatternField]) {
        let parameters = self.parameters(&Callee::Tool(tool.clone()));
        for field in fields {
            let name = &field.name;
            let Some(parameter) = parameters.list.iter().find(|parameter| parameter.name == name.text) else {
                let message = format!("`{}` has no argument `{}`", tool.name, name.text);
                let mut wrong = Diagnostic::new(Code::UNKNOWN_ARGUMENT, name.span, message);
                let names = parameters.list.iter().map(|parameter| parameter.name.as_str());
                wrong = match nearest(&name.text, names.clone()) {
                    Some(near) => wrong.fix(format!("replace it with `{near}`"), name.span, near),
                    None => wrong.help(format!(
                        "its arguments are {}",
                        names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
                    )),
                };
                self.report(wrong);
                continue;
            };
            let subject = parameter.ty.substitute(&Bindings::default(), &Type::Json);
            self.pattern(&field.pattern, &subject);
        }
    }

    /// `assert cond`: what it says is known after it.
    pub(crate) fn assert_statement(&mut self, condition: &Expr, span: Span) {
        let facts = self.condition(condition);
        if self.in_test {
            self.assume(&facts.when_true);
        } else {
            self.belongs_in_test(span, "assert");
        }
    }

    fn belongs_in_test(&mut self, span: Span, word: &str) {
        let help = match word {
            "assert" => "in a flow, leave with a message: `if not … { fail \"…\" }`",
            _ => "a test stands at the top of the file: `test \"…\" { … }`",
        };
        self.report(Diagnostic::new(Code::NOT_TESTABLE, span, format!("`{word}` stands only in a `test`")).help(help));
    }
}
