//! Narrowing: what a condition tells of the places it speaks of, where it holds and where it does not.

use crate::check::Resolution;
use crate::check::context::{Checker, Fact, Facts, LocalKind, Place, Prev, Tested};
use crate::check::expr::Brief;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind, ListItem, NodeId, Postfix, PostfixKind, PrefixOp, TypeExpr};
use crate::types::{BinaryOp, Literal, Text, Type};

impl Facts {
    fn swapped(self) -> Facts {
        Facts { when_true: self.when_false, when_false: self.when_true, always: self.always.map(|always| !always) }
    }
}

impl Checker<'_> {
    /// Checks an expression that must be a `bool` and says what it tells where it holds and where it does not. Warns
    /// where it is always the same.
    pub(crate) fn condition(&mut self, condition: &Expr) -> Facts {
        let facts = self.truth(condition, Code::CONDITION, "a condition");
        if let ExprKind::Literal(_) = condition.kind
            && let Some(always) = facts.always
        {
            self.report_constant(condition.span, always);
        }
        facts
    }

    /// Checks a `bool`, for a condition or an operand of `and`, `or`, `not`.
    pub(crate) fn truth(&mut self, expr: &Expr, code: Code, what: &str) -> Facts {
        match &expr.kind {
            ExprKind::Paren(inner) => {
                let facts = self.truth(inner, code, what);
                let ty = self.out.ty(inner.id).clone();
                self.record(expr.id, ty);
                facts
            }
            ExprKind::Prefix(operators, operand) if operators.iter().all(|(op, _)| *op == PrefixOp::Not) => {
                let facts = self.truth(operand, Code::OPERATOR, "`not`");
                self.record(expr.id, Type::Bool);
                if operators.len() % 2 == 1 { facts.swapped() } else { facts }
            }
            ExprKind::Is(..) => self.comparison(expr),
            ExprKind::Binary(_, rest) if rest.first().is_some_and(|(op, ..)| is_test(*op)) => self.comparison(expr),
            _ => {
                let found = self.infer(expr, Some(&Type::Bool));
                self.bool_value(expr, &found, code, what)
            }
        }
    }

    /// A value that must be a `bool`, and what it tells of the place it stands in.
    fn bool_value(&mut self, expr: &Expr, found: &Type, code: Code, what: &str) -> Facts {
        if *found == Type::Json {
            self.report_json(expr, Some(&Type::Bool), format_args!("{what} needs `bool`"));
            return Facts::default();
        }
        if !found.fits(&Type::Bool) {
            self.report_not_bool(expr, found, code, what);
            return Facts::default();
        }
        let Some(place) = self.place_of(expr) else {
            return Facts { always: known_bool(found), ..Facts::default() };
        };
        let always = known_bool(found);
        // What a local was given plainly is no mistake; what an outcome is known to be by now is.
        if let Some(always) = always.filter(|_| !matches!(expr.kind, ExprKind::Name(_))) {
            self.report_constant(expr.span, always);
        }
        let is = |bool| Type::Literal(Literal::Bool(bool));
        Facts { when_true: self.facts_of(&place, is(true)), when_false: self.facts_of(&place, is(false)), always }
    }

    fn report_not_bool(&mut self, expr: &Expr, found: &Type, code: Code, what: &str) {
        if *found == Type::Error {
            return;
        }
        if found.allows_null() && found.without_null().fits(&Type::Bool) && *found != Type::Null {
            self.report_nullable(expr, found, what);
            return;
        }
        let message = format!("{what} must be `bool`, found `{}`", Brief(found));
        let wrong = Diagnostic::new(code, expr.span, message);
        let end = expr.span.after();
        let wrong = match found.widen() {
            found if found.allows_null() => wrong.suggest("test whether it is there", end, " != null"),
            Type::String => wrong.suggest("test whether it is empty", end, " != \"\""),
            Type::Int => wrong.suggest("compare it with 0", end, " != 0"),
            Type::Float => wrong.suggest("compare it with 0", end, " != 0.0"),
            Type::List(_) => wrong.suggest("test whether it has items", end, ".length > 0"),
            found if found.field("success") == Some(Type::Bool) => {
                wrong.suggest("test whether it succeeded", end, ".success")
            }
            _ => wrong,
        };
        self.report(wrong.help("nothing but `true` and `false` is true or false"));
    }

    fn report_constant(&mut self, span: Span, always: bool) {
        self.report(Diagnostic::new(Code::CONSTANT_CONDITION, span, format!("this is always {always}")));
    }

    /// `== != < <= > >= in is and or`: checks both sides and says what the whole tells.
    pub(crate) fn comparison(&mut self, expr: &Expr) -> Facts {
        self.record(expr.id, Type::Bool);
        let facts = match &expr.kind {
            ExprKind::Is(value, ty) => self.is_test(value, ty),
            ExprKind::Binary(first, rest) => match rest.first() {
                Some((BinaryOp::And, ..)) => return self.all_of(first, rest),
                Some((BinaryOp::Or, ..)) => return self.any_of(first, rest),
                Some((op @ (BinaryOp::Eq | BinaryOp::Ne), span, right)) => {
                    let (a, b) = self.equality((*op, *span), first, right);
                    let facts = self.equal((first, &a), (right, &b));
                    if *op == BinaryOp::Eq { facts } else { facts.swapped() }
                }
                Some((BinaryOp::In, span, right)) => {
                    let (item, of) = self.membership(*span, first, right);
                    self.in_list(first, &item, right, &of)
                }
                Some((op, span, right)) => {
                    self.ordering((*op, *span), first, right);
                    Facts::default()
                }
                None => Facts::default(),
            },
            _ => Facts::default(),
        };
        if let Some(always) = facts.always {
            self.report_constant(expr.span, always);
        }
        facts
    }

    /// `a and b`: where it holds, all hold; where it does not, what is known is what each way to fail has in common.
    fn all_of(&mut self, first: &Expr, rest: &[(BinaryOp, Span, Expr)]) -> Facts {
        let start = self.mark();
        let mut facts = self.truth(first, Code::OPERATOR, "`and`");
        self.assume(&facts.when_true);
        for (_, _, next) in rest {
            let next = self.truth(next, Code::OPERATOR, "`and`");
            self.assume(&next.when_true);
            facts.when_true.extend(next.when_true);
            facts.when_false = either(&facts.when_false, &next.when_false);
            facts.always = match (facts.always, next.always) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            };
        }
        self.forget_facts(start);
        facts
    }

    /// `a or b`
    fn any_of(&mut self, first: &Expr, rest: &[(BinaryOp, Span, Expr)]) -> Facts {
        let start = self.mark();
        let mut facts = self.truth(first, Code::OPERATOR, "`or`");
        self.assume(&facts.when_false);
        for (_, _, next) in rest {
            let next = self.truth(next, Code::OPERATOR, "`or`");
            self.assume(&next.when_false);
            facts.when_false.extend(next.when_false);
            facts.when_true = either(&facts.when_true, &next.when_true);
            facts.always = match (facts.always, next.always) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            };
        }
        self.forget_facts(start);
        facts
    }

    /// `x is T`
    fn is_test(&mut self, value: &Expr, ty: &TypeExpr) -> Facts {
        let found = self.infer(value, None);
        let wanted = self.resolve_type(ty);
        if matches!(found, Type::Error | Type::Never) || wanted == Type::Error {
            return Facts::default();
        }
        let always = match () {
            () if !found.overlaps(&wanted) => Some(false),
            () if found != Type::Json && found.fits(&wanted) => Some(true),
            () => None,
        };
        let Some(place) = self.place_of(value) else { return Facts { always, ..Facts::default() } };
        self.note_test(value, &place);
        Facts {
            when_true: self.facts_of(&place, found.narrowed_to(&wanted)),
            when_false: self.facts_of(&place, found.excluding(&wanted)),
            always,
        }
    }

    /// What `a == b` tells of both.
    fn equal(&mut self, left: (&Expr, &Type), right: (&Expr, &Type)) -> Facts {
        let (a, b) = (left.1, right.1);
        if *a == Type::Error || *b == Type::Error {
            return Facts::default();
        }
        let mut facts = Facts { always: known_equal(a, b), ..Facts::default() };
        for ((side, own), other) in [(left, b), (right, a)] {
            let Some(place) = self.place_of(side) else { continue };
            self.note_test(side, &place);
            facts.when_true.extend(self.facts_of(&place, equal_to(own, other)));
            if matches!(other, Type::Null | Type::Literal(_)) {
                facts.when_false.extend(self.facts_of(&place, own.excluding(other)));
            }
        }
        facts
    }

    /// Remembers where a `var` was tested.
    fn note_test(&mut self, value: &Expr, place: &Place) {
        if let ExprKind::Name(name) = &value.kind
            && self.local(name).is_some_and(|local| local.kind == LocalKind::Var)
        {
            let (statement, block) = self.statement;
            self.tested.insert(place.local, Tested { name: value.span, before: statement.before(), block });
        }
    }

    /// What `x in [ … ]` tells of `x`.
    fn in_list(&mut self, item: &Expr, found: &Type, list: &Expr, of: &Type) -> Facts {
        if *found == Type::Error || *of == Type::Error {
            return Facts::default();
        }
        let Some(place) = self.place_of(item) else { return Facts::default() };
        let mut values = Vec::new();
        let all_literals = match &list.kind {
            ExprKind::List(items) => items.iter().all(|item| match item {
                ListItem::Value(value) => {
                    let ty = self.out.ty(value.id);
                    values.push(ty.clone());
                    matches!(ty, Type::Literal(_) | Type::Null)
                }
                ListItem::Spread(_) => false,
            }),
            _ => false,
        };
        let when_true = equal_to(found, if all_literals { Type::union(values.clone()) } else { of.clone() });
        let mut facts = Facts { when_true: self.facts_of(&place, when_true), ..Facts::default() };
        if all_literals {
            facts.when_false = self.facts_of(&place, found.excluding(&Type::union(values)));
        }
        facts
    }

    /// The place that an expression reads, where its type can be narrowed, or could be if it were no `var`; the
    /// expression has been inferred.
    pub(crate) fn place_of(&self, expr: &Expr) -> Option<Place> {
        match &expr.kind {
            ExprKind::Paren(inner) => self.place_of(inner),
            ExprKind::Name(name) => Some(Place { local: self.root(expr, name)?, path: Vec::new() }),
            ExprKind::Postfix(base, chain) => {
                let ExprKind::Name(name) = &base.kind else { return None };
                let mut chain = chain.as_slice();
                let local = match self.root(base, name) {
                    Some(local) => local,
                    None => match (self.prev, chain.split_first()) {
                        // After a plain step `prev.result` is the step's value.
                        (Prev::Success(step), Some((first, rest))) if name == "prev" && is_field(first, "result") => {
                            chain = rest;
                            step
                        }
                        _ => return None,
                    },
                };
                let path = chain.iter().map(|part| self.path_step(part)).collect::<Option<Vec<Text>>>()?;
                Some(Place { local, path })
            }
            _ => None,
        }
    }

    /// The local that a name stands for. What is assumed of a `var` narrows nothing: it serves to say so.
    fn root(&self, name_expr: &Expr, name: &str) -> Option<NodeId> {
        match self.local(name) {
            Some(local) => (local.kind != LocalKind::Sibling).then_some(local.id),
            None => match self.out.resolutions.get(name_expr.id) {
                Some(Resolution::PrevValue(step)) => Some(*step),
                _ => None,
            },
        }
    }

    /// The field that a part of a chain reads; none where it is a method or an index.
    fn path_step(&self, part: &Postfix) -> Option<Text> {
        match &part.kind {
            PostfixKind::Field(name) if matches!(self.out.resolutions.get(part.id), Some(Resolution::Field(_))) => {
                Some(name.text.clone())
            }
            _ => None,
        }
    }

    /// The facts that follow from a place being of a type: that it is, and what holds it is of a kind that allows it.
    pub(crate) fn facts_of(&self, place: &Place, ty: Type) -> Vec<Fact> {
        let mut facts = Vec::new();
        // Where it cannot be, nothing is said of it: what is wrong there is said as if the condition were not.
        if matches!(ty, Type::Error | Type::Never) {
            return facts;
        }
        let mut inner = ty.clone();
        let mut path = place.path.clone();
        facts.push(Fact { place: place.clone(), ty });
        while let Some(last) = path.pop() {
            let holder = Place { local: place.local, path: path.clone() };
            let known = self.place_type(&holder);
            if matches!(known, Type::Json | Type::Error) {
                break;
            }
            let allows_null = inner.allows_null() || inner == Type::Json;
            let left = Type::union(
                known
                    .members()
                    .iter()
                    .filter(|member| match member {
                        Type::Null => allows_null,
                        member => member.field(&last).is_none_or(|field| field.overlaps(&inner)),
                    })
                    .cloned(),
            );
            if left == known {
                break;
            }
            facts.push(Fact { place: holder, ty: left.clone() });
            inner = left;
        }
        // What holds comes first, so that what is inside is newer.
        facts.reverse();
        facts
    }
}

fn is_field(part: &Postfix, name: &str) -> bool {
    matches!(&part.kind, PostfixKind::Field(field) if field.text == name)
}

fn is_test(op: BinaryOp) -> bool {
    use BinaryOp::{And, Eq, Ge, Gt, In, Le, Lt, Ne, Or};
    matches!(op, And | Or | Eq | Ne | Lt | Le | Gt | Ge | In)
}

fn known_bool(ty: &Type) -> Option<bool> {
    match ty {
        Type::Literal(Literal::Bool(bool)) => Some(*bool),
        _ => None,
    }
}

/// Whether `==` of two types is known: null against what is never null, or literals of one value.
fn known_equal(a: &Type, b: &Type) -> Option<bool> {
    match (a, b) {
        (Type::Null, Type::Null) => Some(true),
        (Type::Null, other) | (other, Type::Null) => {
            let never = !other.allows_null() && !matches!(other, Type::Json | Type::Error | Type::Never);
            never.then_some(false)
        }
        (Type::Literal(a), Type::Literal(b)) => Some(a == b),
        _ => None,
    }
}

/// What a value is known to be where it equals one of another type. Its own type's members stay as they are: a text
/// that equals a literal is still a `string`, or the `url` it was.
fn equal_to(own: &Type, other: impl std::borrow::Borrow<Type>) -> Type {
    let other = other.borrow();
    if *own == Type::Json {
        return Type::Json;
    }
    Type::union(own.members().iter().filter(|member| member.overlaps(other)).map(|member| match (member, other) {
        (Type::Bool, Type::Literal(Literal::Bool(_))) => other.clone(),
        (member, _) => Type::clone(member),
    }))
}

/// What is known where one of two lists of facts holds: the places that both speak of are one type or the other.
fn either(a: &[Fact], b: &[Fact]) -> Vec<Fact> {
    let newest = |facts: &[Fact], place: &Place| facts.iter().rev().find(|fact| fact.place == *place).cloned();
    let mut known: Vec<Fact> = Vec::new();
    for fact in a {
        if known.iter().any(|done| done.place == fact.place) {
            continue;
        }
        if let (Some(one), Some(other)) = (newest(a, &fact.place), newest(b, &fact.place)) {
            known.push(Fact { place: one.place, ty: Type::union([one.ty, other.ty]) });
        }
    }
    known
}
