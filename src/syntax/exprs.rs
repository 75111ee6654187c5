//! Expressions: a flat run of operands and operators becomes a tree by the strength of the operators.

use std::iter::Peekable;

use super::ast::{
    Arg, Call, Expr, ExprKind, ExprMatch, Lambda, ListItem, Literal, Name, Postfix, PostfixKind, PrefixOp, RecordField,
};
use super::guard::MAX_LINKS;
use super::parse::{Builder, Pair, Pairs, Rule};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::types::{BinaryOp, Text};

/// The parts of a flat run.
type Parts<'i> = Peekable<Pairs<'i>>;

/// How strongly operators bind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Coalesce,
    Or,
    And,
    Not,
    Compare,
    Add,
    Multiply,
    Negate,
}

impl Level {
    fn above(self) -> Option<Level> {
        match self {
            Level::Coalesce => Some(Level::Or),
            Level::Or => Some(Level::And),
            Level::And => Some(Level::Not),
            Level::Not => Some(Level::Compare),
            Level::Compare => Some(Level::Add),
            Level::Add => Some(Level::Multiply),
            Level::Multiply => Some(Level::Negate),
            Level::Negate => None,
        }
    }
}

/// The operator that a token stands for, its level, and how it should have been written where it is foreign.
fn operator(text: &str) -> (BinaryOp, Level, Option<&'static str>) {
    match text {
        "??" => (BinaryOp::Coalesce, Level::Coalesce, None),
        "or" => (BinaryOp::Or, Level::Or, None),
        "||" | "|" => (BinaryOp::Or, Level::Or, Some("or")),
        "and" => (BinaryOp::And, Level::And, None),
        "&&" | "&" => (BinaryOp::And, Level::And, Some("and")),
        "==" => (BinaryOp::Eq, Level::Compare, None),
        "===" | "=" => (BinaryOp::Eq, Level::Compare, Some("==")),
        "!=" => (BinaryOp::Ne, Level::Compare, None),
        "!==" => (BinaryOp::Ne, Level::Compare, Some("!=")),
        "<" => (BinaryOp::Lt, Level::Compare, None),
        "<=" => (BinaryOp::Le, Level::Compare, None),
        ">" => (BinaryOp::Gt, Level::Compare, None),
        ">=" => (BinaryOp::Ge, Level::Compare, None),
        "in" => (BinaryOp::In, Level::Compare, None),
        "+" => (BinaryOp::Add, Level::Add, None),
        "-" => (BinaryOp::Sub, Level::Add, None),
        "/" => (BinaryOp::Div, Level::Multiply, None),
        "%" => (BinaryOp::Rem, Level::Multiply, None),
        "**" => (BinaryOp::Mul, Level::Multiply, Some("*")),
        _ => (BinaryOp::Mul, Level::Multiply, None),
    }
}

impl Builder<'_> {
    /// An `expr`, or the mark that one is missing.
    pub(super) fn expr(&mut self, pair: Pair<'_>) -> Expr {
        if pair.as_rule() == Rule::no_expr {
            return self.no_expr(&pair);
        }
        let mut parts = pair.into_inner().peekable();
        if parts.peek().is_some_and(|part| part.as_rule() == Rule::if_expr) {
            return match parts.next() {
                Some(part) => self.if_expr(part),
                None => self.error_expr(Span::default()),
            };
        }
        self.climb(&mut parts)
    }

    pub(super) fn error_expr(&mut self, span: Span) -> Expr {
        Expr { id: self.fresh(), span, kind: ExprKind::Error }
    }

    fn no_expr(&mut self, mark: &Pair<'_>) -> Expr {
        self.missing(mark);
        self.error_expr(self.span(mark))
    }

    /// A run up to its end.
    fn climb(&mut self, parts: &mut Parts<'_>) -> Expr {
        let mut first = None;
        if !self.at_prefix(parts, Level::Not) {
            let operand = self.operand(parts);
            // An operand with nothing around it is the common case.
            if parts.peek().is_none() {
                return operand;
            }
            first = Some(operand);
        }
        let first = self.level(parts, Level::Coalesce, first);
        // Nothing is looser than the loosest level: what is left follows a type, and a type has no members.
        if let Some(rest) = parts.next() {
            self.not_a_tail(&rest);
        }
        first
    }

    /// A run up to an operator looser than a level. Its first operand may have been built already.
    fn level(&mut self, parts: &mut Parts<'_>, level: Level, first: Option<Expr>) -> Expr {
        if level == Level::Not && first.is_none() && self.at_prefix(parts, level) {
            return self.prefixes(parts, level);
        }
        let mut first = match (level.above(), first) {
            (Some(above), first) => self.level(parts, above, first),
            (None, Some(first)) => return first,
            (None, None) => return self.operand(parts),
        };
        let mut rest: Vec<(BinaryOp, Span, Expr)> = Vec::new();
        let mut compared = false;
        while let Some(part) = parts.peek() {
            if part.as_rule() == Rule::is_tail && level == Level::Compare {
                let Some(tail) = parts.next() else { break };
                first = self.is_tail(first, &mut rest, tail, compared);
                compared = true;
                continue;
            }
            if part.as_rule() != Rule::infix_op {
                break;
            }
            let wrote = part.as_str().trim_ascii_end();
            let (op, strength, native) = operator(wrote);
            if strength != level {
                break;
            }
            let span = self.span(part);
            self.foreign(wrote, span, native);
            parts.next();
            let next = match level.above() {
                Some(above) => self.level(parts, above, None),
                None => self.operand(parts),
            };
            if level == Level::Compare {
                if compared {
                    self.chained(&rest, span, &next);
                }
                compared = true;
            }
            rest.push((op, span, next));
        }
        if level == Level::Compare {
            rest.truncate(1);
        }
        self.binary(first, rest)
    }

    fn binary(&mut self, first: Expr, rest: Vec<(BinaryOp, Span, Expr)>) -> Expr {
        match rest.last() {
            None => first,
            Some((_, _, last)) => {
                let span = first.span.to(last.span);
                Expr { id: self.fresh(), span, kind: ExprKind::Binary(Box::new(first), rest) }
            }
        }
    }

    fn is_tail(&mut self, first: Expr, rest: &mut Vec<(BinaryOp, Span, Expr)>, tail: Pair<'_>, compared: bool) -> Expr {
        let first = self.binary(first, std::mem::take(rest));
        if compared {
            let span = self.span(&tail);
            self.report(Diagnostic::new(
                Code::CHAINED_COMPARISON,
                span,
                "comparisons are not chained: join two with `and`",
            ));
        }
        let span = first.span.to(self.span(&tail));
        let ty = self.inner_type(tail);
        Expr { id: self.fresh(), span, kind: ExprKind::Is(Box::new(first), ty) }
    }

    fn chained(&mut self, rest: &[(BinaryOp, Span, Expr)], span: Span, next: &Expr) {
        let message = "comparisons are not chained: join two with `and`";
        let mut diagnostic = Diagnostic::new(Code::CHAINED_COMPARISON, span.to(next.span), message);
        let text = rest.last().map_or("", |(_, _, middle)| self.slice(middle.span));
        if !text.is_empty() && !text.contains('\n') {
            diagnostic = diagnostic.suggest(format!("compare `{text}` again"), span.before(), format!("and {text} "));
        }
        self.report(diagnostic);
    }

    fn foreign(&mut self, wrong: &str, span: Span, native: Option<&'static str>) {
        let Some(right) = native else { return };
        let message = match wrong {
            "=" => "`=` binds a name and compares nothing: compare with `==`".to_owned(),
            "**" => "there is no operator `**`: multiply instead".to_owned(),
            _ => format!("`{wrong}` is not an operator here: write `{right}`"),
        };
        let diagnostic = Diagnostic::new(Code::FOREIGN_OPERATOR, span, message);
        let title = format!("replace `{wrong}` with `{right}`");
        let diagnostic = match wrong {
            "**" => diagnostic,
            "=" | "&" | "|" => diagnostic.suggest(title, span, right),
            _ => diagnostic.fix(title, span, right),
        };
        self.report(diagnostic);
    }

    /// A chain of prefix operators and what they stand before. Only `not` at its own level takes a comparison; a chain
    /// that stands deeper (`a == not b`, `- not c`) takes one operand.
    fn prefixes(&mut self, parts: &mut Parts<'_>, level: Level) -> Expr {
        let mut operators = Vec::new();
        while self.at_prefix(parts, level) {
            let Some(part) = parts.next() else { break };
            let span = self.span(&part);
            let wrote = part.as_str();
            if wrote.starts_with('!') {
                self.foreign_not(span);
            }
            operators.push((if wrote.starts_with('-') { PrefixOp::Neg } else { PrefixOp::Not }, span));
        }
        let operand = if level == Level::Not { self.level(parts, Level::Compare, None) } else { self.operand(parts) };
        let span = operators.first().map_or(operand.span, |(_, first)| first.to(operand.span));
        Expr { id: self.fresh(), span, kind: ExprKind::Prefix(operators, Box::new(operand)) }
    }

    /// Whether a prefix operator of a level comes next: only `not` at its own, any before an operand.
    fn at_prefix(&self, parts: &mut Parts<'_>, level: Level) -> bool {
        let fits = |part: &Pair<'_>| level != Level::Not || !part.as_str().starts_with('-');
        parts.peek().is_some_and(|part| part.as_rule() == Rule::prefix_op && fits(part))
    }

    fn foreign_not(&mut self, span: Span) {
        self.report(Diagnostic::new(Code::FOREIGN_OPERATOR, span, "`!` is not an operator here: write `not`").fix(
            "replace `!` with `not`",
            span,
            "not ",
        ));
    }

    /// A primary and what follows it; also a prefix that stands deeper than its level, as in `a == not b`.
    fn operand(&mut self, parts: &mut Parts<'_>) -> Expr {
        if self.at_prefix(parts, Level::Negate) {
            return self.prefixes(parts, Level::Negate);
        }
        let Some(part) = parts.next() else { return self.error_expr(Span::default()) };
        // Chains beside this one do not make it deeper, only those within it.
        let beside = std::mem::take(&mut self.links);
        let mut value = self.primary(part, parts);
        let tail = self.postfixes(parts);
        if let Some(last) = tail.last() {
            let span = value.span.to(last.span);
            value = Expr { id: self.fresh(), span, kind: ExprKind::Postfix(Box::new(value), tail) };
        }
        let mut casts = Vec::new();
        let mut span = value.span;
        while let Some(part) = parts.next_if(|part| part.as_rule() == Rule::as_tail) {
            if self.links > MAX_LINKS {
                continue;
            }
            span = span.to(self.span(&part));
            let ty = self.inner_type(part);
            casts.push((self.fresh(), ty));
            self.links += 1;
        }
        if self.links > MAX_LINKS {
            self.links = beside;
            return self.too_long(span);
        }
        self.links = self.links.max(beside);
        if casts.is_empty() {
            return value;
        }
        Expr { id: self.fresh(), span, kind: ExprKind::As(Box::new(value), casts) }
    }

    fn too_long(&mut self, span: Span) -> Expr {
        let message = format!("more than {MAX_LINKS} fields, indices and calls in a row");
        let help = "name a part of it with `let`";
        self.report(Diagnostic::new(Code::TOO_DEEP, span, message).help(help));
        self.error_expr(span)
    }

    fn primary(&mut self, pair: Pair<'_>, parts: &mut Parts<'_>) -> Expr {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::name => match parts.next_if(|part| part.as_rule() == Rule::args) {
                Some(args) => {
                    let call = self.call_of(self.name(&pair), args);
                    let span = call.span;
                    return Expr { id: self.fresh(), span, kind: ExprKind::Call(Box::new(call)) };
                }
                None => name_or_literal(pair.as_str()),
            },
            Rule::string | Rule::block_string | Rule::raw_string => return self.string(pair),
            Rule::number => ExprKind::Literal(self.number(&pair, false)),
            Rule::list => self.list(pair),
            Rule::record => ExprKind::Record(self.record(pair)),
            Rule::paren => self.paren(pair),
            Rule::match_expr => self.match_expr(pair),
            Rule::if_operand => return self.if_operand(pair),
            _ => return self.no_expr(&pair),
        };
        Expr { id: self.fresh(), span, kind }
    }

    /// `if` as an operand: read, but it wants parentheses.
    fn if_operand(&mut self, pair: Pair<'_>) -> Expr {
        let span = self.span(&pair);
        let text = self.slice(span);
        self.report(Diagnostic::new(Code::SYNTAX, span, "an `if` beside an operator stands in parentheses").fix(
            "put it in parentheses",
            span,
            format!("({text})"),
        ));
        match pair.into_inner().next() {
            Some(part) => self.if_expr(part),
            None => self.error_expr(span),
        }
    }

    fn paren(&mut self, pair: Pair<'_>) -> ExprKind {
        let span = self.span(&pair);
        let mut values: Vec<Expr> = Vec::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::expr | Rule::no_expr => values.push(self.expr(part)),
                _ => self.missing(&part),
            }
        }
        if let Some(second) = values.get(1) {
            let message = "parentheses hold one expression; only a lambda's parameters are several";
            self.report(Diagnostic::new(Code::SYNTAX, second.span, message).label(span, "these parentheses"));
        }
        match values.into_iter().next() {
            Some(value) => ExprKind::Paren(Box::new(value)),
            None => ExprKind::Error,
        }
    }

    fn list(&mut self, pair: Pair<'_>) -> ExprKind {
        let mut items = pair.list();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::expr => items.push(ListItem::Value(self.expr(part))),
                Rule::spread => {
                    let end = part.end();
                    match part.into_inner().next() {
                        Some(value) => items.push(ListItem::Spread(self.expr(value))),
                        None => self.expected(end, "a list"),
                    }
                }
                _ => self.missing(&part),
            }
        }
        ExprKind::List(items)
    }

    fn record(&mut self, pair: Pair<'_>) -> Vec<RecordField> {
        let mut fields = pair.list();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::field => {
                    let (name, value) = self.field(part);
                    fields.push(RecordField::Value(name, value));
                }
                Rule::spread => {
                    let span = self.span(&part);
                    fields.push(match part.into_inner().next() {
                        Some(value) => RecordField::Spread(self.expr(value)),
                        None => RecordField::Fill(span),
                    });
                }
                _ => self.missing(&part),
            }
        }
        fields
    }

    fn field(&mut self, pair: Pair<'_>) -> (Name, Expr) {
        let mut name = self.no_name(&pair);
        let mut value = None;
        let mut quoted = false;
        let mut after = 0;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::expr | Rule::no_expr => value = Some(self.expr(part)),
                rule => {
                    quoted = rule != Rule::word;
                    after = part.end();
                    name = self.field_name(part);
                }
            }
        }
        let value = match value {
            Some(value) => value,
            None if quoted || super::words::is_keyword(&name.text) => {
                self.expected(self.skip_trivia(after), "`:` and a value");
                self.error_expr(name.span)
            }
            None => Expr { id: self.fresh(), span: name.span, kind: name_or_literal(&name.text) },
        };
        (name, value)
    }

    /// The fields, methods and indices that follow an operand.
    fn postfixes(&mut self, parts: &mut Parts<'_>) -> Vec<Postfix> {
        let links = parts.clone().take_while(|part| is_postfix(part.as_rule())).filter(|part| is_link(part.as_rule()));
        let mut chain = Vec::with_capacity(links.count());
        while let Some(part) = parts.next_if(|part| is_postfix(part.as_rule())) {
            let safe = part.as_rule() == Rule::safe;
            let named = if safe { parts.next() } else { Some(part) };
            let args = match named.map(|part| part.as_rule()) {
                Some(Rule::word | Rule::no_name) => parts.next_if(|part| part.as_rule() == Rule::args),
                _ => None,
            };
            let Some(named) = named.filter(|_| self.links <= MAX_LINKS) else { continue };
            if named.as_rule() == Rule::args {
                self.not_a_tail(&named);
            } else {
                chain.push(self.postfix(named, safe, args));
            }
            self.links += 1;
        }
        chain
    }

    /// A member by its name, perhaps called, or an index.
    fn postfix(&mut self, pair: Pair<'_>, optional: bool, args: Option<Pair<'_>>) -> Postfix {
        if pair.as_rule() == Rule::index {
            let span = self.span(&pair);
            let mut at = None;
            for part in pair.into_inner() {
                match part.as_rule() {
                    Rule::expr | Rule::no_expr => at = Some(self.expr(part)),
                    _ => self.missing(&part),
                }
            }
            let kind = PostfixKind::Index(at.unwrap_or_else(|| self.error_expr(span)));
            return Postfix { id: self.fresh(), span, optional, kind };
        }
        // From the dot, which stands right before the name.
        let start = pair.start() - if optional { 2 } else { 1 };
        let name = match pair.as_rule() {
            Rule::word => self.name(&pair),
            _ => {
                self.missing(&pair);
                self.no_name(&pair)
            }
        };
        let span = self.span_of(start, args.unwrap_or(pair).end());
        let kind = match args {
            Some(args) => PostfixKind::Method(name, self.args(args)),
            None => PostfixKind::Field(name),
        };
        Postfix { id: self.fresh(), span, optional, kind }
    }

    /// Reports what cannot follow the expression that it follows.
    fn not_a_tail(&mut self, pair: &Pair<'_>) {
        let before = usize::from(matches!(pair.as_rule(), Rule::word | Rule::no_name | Rule::args));
        self.expected(pair.start() - before, "the end of the expression");
    }

    /// A call from its callee and its arguments, which may be missing.
    pub(super) fn call_of(&mut self, callee: Name, args: Pair<'_>) -> Call {
        let called = args.as_rule() == Rule::args;
        // The parenthesis stands right before what it holds.
        let args_span = if called { self.span_of(args.start() - 1, args.end()) } else { self.span(&args) };
        let span = callee.span.to(args_span);
        let args = if called {
            self.args(args)
        } else {
            self.missing(&args);
            Vec::new()
        };
        Call { id: self.fresh(), span, callee, args, args_span }
    }

    pub(super) fn args(&mut self, pair: Pair<'_>) -> Vec<Arg> {
        let mut args = pair.list();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::arg => args.push(self.arg(part)),
                _ => self.missing(&part),
            }
        }
        args
    }

    fn arg(&mut self, pair: Pair<'_>) -> Arg {
        let span = self.span(&pair);
        let mut name = None;
        let mut value = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::arg_name => name = Some(self.name(&part)),
                Rule::type_arg => {
                    let ty = self.inner_type(part);
                    value = Some(Expr { id: self.fresh(), span: ty.span, kind: ExprKind::Type(ty) });
                }
                Rule::lambda_tail => value = value.map(|params| self.lambda(params, part)),
                _ => value = Some(self.lambda_params_or_expr(part)),
            }
        }
        let value = value.unwrap_or_else(|| self.error_expr(span));
        Arg { span, name, value }
    }

    /// The type inside `as T`, `is T` or an argument.
    fn inner_type(&mut self, pair: Pair<'_>) -> super::ast::TypeExpr {
        let span = self.span(&pair);
        match pair.into_inner().next() {
            Some(part) => self.ty(part),
            None => self.error_type(span),
        }
    }

    /// `(a, b)` before `=>` is no expression: it is read as one whose parentheses hold several names.
    fn lambda_params_or_expr(&mut self, pair: Pair<'_>) -> Expr {
        if pair.as_rule() == Rule::expr {
            let mut inner = pair.into_inner();
            if let (Some(only), None) = (inner.next(), inner.next())
                && only.as_rule() == Rule::paren
                && only.into_inner().filter(|part| part.as_rule() == Rule::expr).nth(1).is_some()
                && self.rest(pair.end()).starts_with("=>")
            {
                let span = self.span(&only);
                let items = only.into_inner().filter(|part| part.as_rule() == Rule::expr);
                let items = items.map(|part| ListItem::Value(self.expr(part))).collect();
                return Expr { id: self.fresh(), span, kind: ExprKind::List(items) };
            }
        }
        self.expr(pair)
    }

    fn lambda(&mut self, params: Expr, tail: Pair<'_>) -> Expr {
        let span = params.span.to(self.span(&tail));
        let mut names = Vec::new();
        self.lambda_params(params, &mut names);
        let body = match tail.into_inner().next() {
            Some(body) => self.expr(body),
            None => self.error_expr(span),
        };
        Expr { id: self.fresh(), span, kind: ExprKind::Lambda(Box::new(Lambda { params: names, body })) }
    }

    fn lambda_params(&mut self, params: Expr, names: &mut Vec<(super::ast::NodeId, Name)>) {
        match params.kind {
            ExprKind::Name(text) => {
                let name = Name { text, span: params.span };
                self.check_declared(&name);
                names.push((params.id, name));
            }
            ExprKind::Paren(inner) => self.lambda_params(*inner, names),
            ExprKind::List(items) => {
                for item in items {
                    if let ListItem::Value(value) = item {
                        self.lambda_params(value, names);
                    }
                }
            }
            ExprKind::Error => {}
            _ => {
                let message = "a lambda's parameter is a name";
                self.report(
                    Diagnostic::new(Code::SYNTAX, params.span, message).help("write `x => …` or `(a, b) => …`"),
                );
            }
        }
    }

    fn if_expr(&mut self, pair: Pair<'_>) -> Expr {
        let span = self.span(&pair);
        let mut values = Vec::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::expr | Rule::no_expr => values.push(self.expr(part)),
                _ => self.missing(&part),
            }
        }
        let otherwise = values.pop().unwrap_or_else(|| self.error_expr(span));
        let mut branches = Vec::new();
        let mut values = values.into_iter();
        while let (Some(cond), Some(value)) = (values.next(), values.next()) {
            branches.push((cond, value));
        }
        Expr { id: self.fresh(), span, kind: ExprKind::If { branches, otherwise: Box::new(otherwise) } }
    }

    fn match_expr(&mut self, pair: Pair<'_>) -> ExprKind {
        let mut value = None;
        let mut arms = Vec::new();
        let span = self.span(&pair);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::expr | Rule::no_expr => value = Some(self.expr(part)),
                Rule::expr_arm => {
                    let arm = self.arm(part, |this, body| match body.as_rule() {
                        Rule::expr | Rule::no_expr => Some(this.expr(body)),
                        _ => None,
                    });
                    let (head, body) = arm;
                    let body = body.unwrap_or_else(|| self.error_expr(head.span));
                    arms.push(head.with(body));
                }
                _ => self.missing(&part),
            }
        }
        let value = value.unwrap_or_else(|| self.error_expr(span));
        ExprKind::Match(Box::new(ExprMatch { value, arms }))
    }
}

/// Whether a part is a link of the chain that follows an operand.
fn is_link(rule: Rule) -> bool {
    matches!(rule, Rule::word | Rule::no_name | Rule::index)
}

/// Whether a part goes on with the chain that follows an operand.
fn is_postfix(rule: Rule) -> bool {
    is_link(rule) || matches!(rule, Rule::safe | Rule::args)
}

/// What a word stands for in an expression.
fn name_or_literal(text: &str) -> ExprKind {
    match text {
        "true" => ExprKind::Literal(Literal::Bool(true)),
        "false" => ExprKind::Literal(Literal::Bool(false)),
        "null" => ExprKind::Literal(Literal::Null),
        _ => ExprKind::Name(Text::new(text)),
    }
}
