//! How blocks end. The checker stands in a row of frames, from the body of an item inwards; `yield`, `return`, `break`
//! and `continue` look outwards for the frame that takes them, and say what is in the way.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::check::ItemRef;
use crate::check::aftermath::Aftermath;
use crate::check::budget::Cost;
use crate::check::context::Checker;
use crate::check::lints::Unread;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{Expr, NodeId};
use crate::types::{Text, Type};

/// What the statement half of the checker carries along.
#[derive(Debug, Default)]
pub(crate) struct Body {
    /// From the body of the item inwards.
    pub(crate) frames: Vec<Frame>,
    /// The names of the steps of each path scope, from the body of the item inwards.
    pub(crate) segments: Vec<FxHashMap<Text, Span>>,
    /// Blocks whose end is reached.
    pub(crate) open_ended: FxHashSet<NodeId>,
    /// Locals whose list is bounded by the text.
    pub(crate) bounded: FxHashSet<NodeId>,
    /// Steps that only read, and of those the ones that nothing read.
    pub(crate) reads_only: FxHashSet<NodeId>,
    pub(crate) unread: Vec<Unread>,
    /// Whether a destructive tool was called anywhere so far.
    pub(crate) destructive_seen: bool,
    /// Flows that do harm when they run twice, with the tool that does it.
    pub(crate) harmful: FxHashMap<ItemRef, Text>,
    /// What calls of flows come to.
    pub(crate) aftermaths: FxHashMap<ItemRef, Aftermath>,
    /// Whether any flow has a `@budget`, and the least that flows then spend.
    pub(crate) budgets: bool,
    pub(crate) least: FxHashMap<ItemRef, Cost>,
    /// Whether a misplaced `yield`, `return`, `break` or `continue` makes it unclear how blocks of the item at hand
    /// end: what follows from that is not reported.
    pub(crate) doubtful: bool,
    /// The last flow of control that was opened.
    pub(crate) last_control: u32,
}

/// A block that something may end.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: FrameKind,
    /// Where it begins, for labels.
    pub(crate) span: Span,
    /// What was yielded or returned to it.
    pub(crate) given: Vec<Given>,
    /// Whether a `break` leaves it.
    pub(crate) broken: bool,
}

/// What kind of block it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FrameKind {
    /// The body of a flow, with the result it declares.
    Flow(Option<Type>),
    /// The body of a function, with the result it declares.
    Function(Option<Type>),
    /// The body of a test.
    Test,
    /// A block used as an action: it takes what is yielded.
    Value(Form),
    /// A block used as a statement.
    Statement(Form),
    /// `finally { }`
    Finally,
}

/// The block forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    For,
    ParallelFor,
    Repeat,
    Do,
    If,
    Match,
    Try,
    Catch,
    Parallel,
    Race,
}

/// A value that was yielded or returned.
#[derive(Debug)]
pub(crate) struct Given {
    /// The node whose value it is.
    pub(crate) id: NodeId,
    pub(crate) ty: Type,
}

impl Form {
    /// The keyword it is written with.
    pub(crate) fn keyword(self) -> &'static str {
        match self {
            Form::For => "for",
            Form::ParallelFor => "parallel for",
            Form::Repeat => "repeat",
            Form::Do => "do",
            Form::If => "if",
            Form::Match => "match",
            Form::Try => "try",
            Form::Catch => "catch",
            Form::Parallel => "parallel",
            Form::Race => "race",
        }
    }

    /// Whether its parts run at once.
    fn concurrent(self) -> bool {
        matches!(self, Form::ParallelFor | Form::Parallel | Form::Race)
    }
}

/// What a `break` or `continue` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Jump {
    Break,
    Continue,
}

impl Jump {
    fn word(self) -> &'static str {
        match self {
            Jump::Break => "break",
            Jump::Continue => "continue",
        }
    }
}

impl Checker<'_> {
    /// Runs `inside` within a frame, and gives the frame back with what it collected.
    pub(crate) fn within<T>(&mut self, kind: FrameKind, span: Span, inside: impl FnOnce(&mut Self) -> T) -> (Frame, T) {
        self.body.frames.push(Frame { kind, span, given: Vec::new(), broken: false });
        let value = inside(self);
        let frame = self.body.frames.pop().unwrap_or(Frame {
            kind: FrameKind::Finally,
            span,
            given: Vec::new(),
            broken: false,
        });
        (frame, value)
    }

    /// Runs `inside` in a flow of control of its own, in which the vars around it cannot be set.
    pub(crate) fn in_new_control<T>(&mut self, inside: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.control;
        self.body.last_control += 1;
        self.control = self.body.last_control;
        let value = inside(self);
        self.control = outer;
        value
    }

    /// Runs `inside` where the names of steps are counted anew.
    pub(crate) fn in_new_path<T>(&mut self, inside: impl FnOnce(&mut Self) -> T) -> T {
        self.body.segments.push(FxHashMap::default());
        let value = inside(self);
        self.body.segments.pop();
        value
    }

    /// Reports a statement that leaves no block it may leave.
    fn misplaced(&mut self, wrong: Diagnostic) {
        self.body.doubtful = true;
        self.report(wrong);
    }

    /// Reports how a block ends, where no misplaced statement made that unclear.
    pub(crate) fn report_unless_doubtful(&mut self, wrong: Diagnostic) {
        if !self.body.doubtful {
            self.report(wrong);
        }
    }

    /// The frame that a `yield` gives its value to; where there is none, says why.
    pub(crate) fn yield_frame(&mut self, span: Span) -> Option<usize> {
        let (at, frame) = self.body.frames.iter().enumerate().next_back()?;
        let place = frame.span;
        let mut wrong = Diagnostic::new(Code::MISPLACED, span, "nothing takes the value of this `yield`");
        match &frame.kind {
            FrameKind::Value(Form::Parallel | Form::Race) => return None,
            FrameKind::Value(_) => return Some(at),
            FrameKind::Statement(form) => {
                let word = form.keyword();
                wrong = wrong
                    .label(place, format!("this `{word}` is a statement: it has no value"))
                    .help(format!("make the `{word}` a step: `step name = {word} …`"));
            }
            FrameKind::Flow(_) | FrameKind::Function(_) => {
                let keyword = Span { end: span.start + "yield".len() as u32, ..span };
                wrong = wrong
                    .help("`yield` gives a value to the nearest block used as a step's action; here, use `return`")
                    .suggest("replace `yield` with `return`", keyword, "return");
            }
            FrameKind::Test => wrong = wrong.help("a test gives no value; use `let` or `assert`"),
            FrameKind::Finally => {
                wrong.message = "`finally` holds no `yield`".into();
                wrong = wrong.help("yield in the `try` or `catch` block");
            }
        }
        self.misplaced(wrong);
        None
    }

    /// The frame of the flow or function that a `return` ends; where it cannot, says why.
    pub(crate) fn return_frame(&mut self, span: Span) -> Option<usize> {
        for (at, frame) in self.body.frames.iter().enumerate().rev() {
            match &frame.kind {
                FrameKind::Flow(_) | FrameKind::Function(_) => return Some(at),
                FrameKind::Test => {
                    self.misplaced(
                        Diagnostic::new(Code::MISPLACED, span, "a test returns nothing")
                            .help("remove the `return`; `assert` says what must hold"),
                    );
                    return None;
                }
                FrameKind::Finally => {
                    self.misplaced(
                        Diagnostic::new(Code::MISPLACED, span, "`finally` holds no `return`")
                            .help("return after the `try` statement"),
                    );
                    return None;
                }
                FrameKind::Value(form) | FrameKind::Statement(form) if form.concurrent() => {
                    let wrong = escape("return", *form, span, frame.span);
                    self.misplaced(wrong);
                    return None;
                }
                FrameKind::Value(_) | FrameKind::Statement(_) => {}
            }
        }
        None
    }

    /// Finds the loop that a `break` or `continue` means, and marks it as left by a `break`; where there is none, says
    /// why.
    pub(crate) fn jump(&mut self, jump: Jump, span: Span) {
        let word = jump.word();
        let mut found = None;
        for (at, frame) in self.body.frames.iter().enumerate().rev() {
            match (&frame.kind, jump) {
                (FrameKind::Value(Form::For) | FrameKind::Statement(Form::For | Form::Repeat), _)
                | (
                    FrameKind::Value(Form::ParallelFor | Form::Repeat) | FrameKind::Statement(Form::ParallelFor),
                    Jump::Continue,
                ) => {
                    found = Some(Ok(at));
                }
                (FrameKind::Value(Form::Repeat), Jump::Break) => {
                    let wrong =
                        Diagnostic::new(Code::MISPLACED, span, "`break` does not leave a `repeat` with a value")
                            .label(frame.span, "the value of this `repeat` is what it yields")
                            .help("end it with `yield`, or use the `repeat` as a statement");
                    found = Some(Err(wrong));
                }
                (FrameKind::Value(form) | FrameKind::Statement(form), _) if form.concurrent() => {
                    found = Some(Err(escape(word, *form, span, frame.span)));
                }
                (FrameKind::Value(_) | FrameKind::Statement(_), _) => {}
                (FrameKind::Finally, _) => {
                    let wrong = Diagnostic::new(Code::MISPLACED, span, format!("`finally` holds no `{word}`"));
                    found = Some(Err(wrong.help("leave the loop after the `try` statement")));
                }
                (FrameKind::Flow(_) | FrameKind::Function(_) | FrameKind::Test, _) => {
                    let wrong = Diagnostic::new(Code::MISPLACED, span, format!("there is no loop to `{word}` here"));
                    found = Some(Err(wrong.help(format!("`{word}` stands inside `for` or `repeat`"))));
                }
            }
            if found.is_some() {
                break;
            }
        }
        match found {
            Some(Ok(at)) if jump == Jump::Break => {
                if let Some(frame) = self.body.frames.get_mut(at) {
                    frame.broken = true;
                }
            }
            Some(Err(wrong)) => self.misplaced(wrong),
            _ => {}
        }
    }

    /// Hands a value to a frame.
    pub(crate) fn give(&mut self, frame: usize, id: NodeId, ty: Type) {
        if let Some(frame) = self.body.frames.get_mut(frame) {
            frame.given.push(Given { id, ty });
        }
    }

    /// The type of values of which one is given; each whose form differs is converted.
    pub(crate) fn settle(&mut self, given: &[Given]) -> Type {
        let joined = Type::join_all(given.iter().map(|value| value.ty.clone()));
        for value in given {
            if !value.ty.same_shape(&joined) {
                self.out.coercions.insert(value.id, joined.clone());
            }
        }
        joined
    }

    /// The type of what a statement gives away; literals of a `return` or `yield` keep their exact type.
    pub(crate) fn given_value(&mut self, value: &Expr, frame: usize, expected: Option<&Type>, role: &str) {
        let ty = match expected {
            Some(expected) => self.expect(value, expected, role),
            None => self.infer(value, None),
        };
        self.give(frame, value.id, ty);
    }
}

/// A jump out of a block whose parts run at once.
fn escape(word: &str, form: Form, span: Span, block: Span) -> Diagnostic {
    let form_word = form.keyword();
    let help = match form {
        Form::ParallelFor => "yield a value, or use `continue` to go on without one, and decide after the block",
        _ => "give the step a value and decide after the block",
    };
    Diagnostic::new(Code::ESCAPES_PARALLEL, span, format!("`{word}` does not leave a `{form_word}` block"))
        .label(block, "its parts run at once, and each comes to its own end")
        .help(help)
}
