//! `match`, as expression and statement: patterns, what they bind and tell, and whether they cover everything.

use std::sync::Arc;

use crate::check::context::{Checker, LocalKind, Place};
use crate::check::expr::Brief;
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::source::Span;
use crate::syntax::ast::{Expr, Literal as Lit, Name, Pattern, PatternField, PatternKind};
use crate::types::{Field, Literal, RecordType, Type};

/// A match under way: what is matched and what no arm has taken yet.
#[derive(Clone, Debug)]
pub(crate) struct Matching {
    /// The type of what is matched.
    pub(crate) subject: Type,
    /// The part of it that no arm without a guard has taken.
    pub(crate) left: Type,
    /// Where it stands, for narrowing.
    pub(crate) place: Option<Place>,
}

impl Checker<'_> {
    /// Begins a match: infers what is matched.
    pub(crate) fn matching(&mut self, value: &Expr) -> Matching {
        let subject = self.infer(value, None);
        Matching { left: subject.clone(), subject, place: self.place_of(value) }
    }

    /// Checks an arm's patterns and guard; declares what they bind and assumes what they tell. Stands between a
    /// [`Checker::mark`] and a [`Checker::leave`], with the arm's body checked before the leave.
    pub(crate) fn patterns(&mut self, matching: &mut Matching, patterns: &[Pattern], guard: Option<&Expr>) {
        let alone = patterns.len() == 1;
        let mut taken = Vec::with_capacity(patterns.len());
        let mut left = matching.left.clone();
        for pattern in patterns {
            self.resolve_pattern(pattern);
            let fits = self.check_pattern(pattern, &matching.subject, Some(&left), alone);
            let narrowed = if fits { self.take(pattern, &left) } else { Type::Error };
            self.bind(pattern, &narrowed, alone);
            let binds_wrongly = !alone && matches!(pattern.kind, PatternKind::Bind(_));
            left = if binds_wrongly { Type::Error } else { self.leave_over(pattern, &left) };
            taken.push(narrowed);
        }
        if let Some(place) = &matching.place {
            let facts = self.facts_of(place, Type::union(taken));
            self.assume(&facts);
        }
        match guard {
            Some(guard) => {
                let facts = self.condition(guard);
                self.assume(&facts.when_true);
            }
            None => matching.left = left,
        }
    }

    /// Ends a match of a value: reports what no arm takes. `span` is the `match` keyword or the whole match.
    pub(crate) fn exhaustive(&mut self, matching: &Matching, value: &Expr, span: Span) {
        if matches!(matching.left, Type::Never | Type::Error) || matching.subject == Type::Error {
            return;
        }
        let left = matching.left.members();
        let mut names: Vec<String> = left.iter().take(5).map(|member| format!("`{}`", Brief(member))).collect();
        if left.len() > 5 {
            names.push(format!("{} more", left.len() - 5));
        }
        let keyword = Span { end: span.end.min(span.start + "match".len() as u32), ..span };
        let message = format!("the match does not cover {}", names.join(", "));
        let wrong = Diagnostic::new(Code::NOT_EXHAUSTIVE, keyword, message)
            .help("add an arm for what is left, or `_ => …` for all of it");
        self.report(if matching.left.allows_null() { self.let_it_first(wrong, value) } else { wrong });
    }

    /// Checks a pattern that stands alone against the type of what it is matched with, and declares what it binds: for
    /// the arguments of mocks.
    pub(crate) fn pattern(&mut self, pattern: &Pattern, subject: &Type) {
        self.resolve_pattern(pattern);
        let fits = self.check_pattern(pattern, subject, None, true);
        let narrowed = if fits { self.take(pattern, subject) } else { Type::Error };
        self.bind(pattern, &narrowed, true);
    }

    /// Resolves the types that a pattern speaks of, once.
    fn resolve_pattern(&mut self, pattern: &Pattern) {
        match &pattern.kind {
            PatternKind::Is(ty) => _ = self.resolve_type(ty),
            PatternKind::Record(fields) => fields.iter().for_each(|field| self.resolve_pattern(&field.pattern)),
            _ => {}
        }
    }

    /// Reports a pattern that can never match. `left` is what the arms before left over.
    fn check_pattern(&mut self, pattern: &Pattern, subject: &Type, left: Option<&Type>, alone: bool) -> bool {
        if *subject == Type::Error {
            return false;
        }
        match &pattern.kind {
            PatternKind::Any | PatternKind::Bind(_) => {
                if left == Some(&Type::Never) && *subject != Type::Never {
                    let message = "the arms before take everything: this one is never reached";
                    self.report(Diagnostic::new(Code::REDUNDANT, pattern.span, message));
                }
                if let (PatternKind::Bind(_), false) = (&pattern.kind, alone) {
                    let message = "an arm of several patterns binds no names";
                    self.report(Diagnostic::new(Code::PATTERN, pattern.span, message));
                }
                return true;
            }
            PatternKind::Error => return false,
            PatternKind::Is(ty) if *self.out.ty(ty.id) == Type::Error => return false,
            PatternKind::Record(fields) => {
                if !self.check_record_pattern(pattern, fields, subject, alone) {
                    return false;
                }
            }
            PatternKind::Literal(_) | PatternKind::Is(_) => {}
        }
        if self.take(pattern, subject) == Type::Never {
            self.report_never_matches(pattern, subject);
            return false;
        }
        if let Some(left) = left
            && self.take(pattern, left) == Type::Never
        {
            let message = "the arms before take this: it is never reached";
            self.report(Diagnostic::new(Code::PATTERN, pattern.span, message));
            return false;
        }
        true
    }

    fn report_never_matches(&mut self, pattern: &Pattern, subject: &Type) {
        let message = format!("`{}` never matches this pattern", Brief(subject));
        let mut wrong = Diagnostic::new(Code::PATTERN, pattern.span, message);
        if let PatternKind::Literal(Lit::String(text)) = &pattern.kind {
            let texts = subject.members().iter().filter_map(|member| match member {
                Type::Literal(Literal::String(text)) => Some(text.as_str()),
                _ => None,
            });
            if let Some(near) = nearest(text, texts) {
                wrong = wrong.fix(format!("match `{near}`"), pattern.span, format!("{near:?}"));
            }
        }
        self.report(wrong);
    }

    fn check_record_pattern(
        &mut self,
        pattern: &Pattern,
        fields: &[PatternField],
        subject: &Type,
        alone: bool,
    ) -> bool {
        let holders: Vec<Type> = subject.members().iter().filter(|member| holds_fields(member)).cloned().collect();
        if holders.is_empty() {
            self.report_never_matches(pattern, subject);
            return false;
        }
        let mut fits = true;
        for (at, field) in fields.iter().enumerate() {
            if fields.iter().take(at).any(|first| first.name.text == field.name.text) {
                let message = format!("the field `{}` is given twice", field.name.text);
                self.report(Diagnostic::new(Code::DUPLICATE, field.name.span, message));
            }
            let known: Vec<Type> = holders.iter().filter_map(|holder| field_of(holder, &field.name)).collect();
            if known.is_empty() {
                self.report_unknown_field(&field.name, &Type::union(holders.iter().cloned()));
                fits = false;
                continue;
            }
            fits &= self.check_pattern(&field.pattern, &Type::union(known), None, alone);
        }
        fits
    }

    /// What a pattern takes of a type.
    fn take(&self, pattern: &Pattern, of: &Type) -> Type {
        match &pattern.kind {
            PatternKind::Any | PatternKind::Bind(_) => of.clone(),
            PatternKind::Error => Type::Error,
            PatternKind::Literal(literal) => {
                let literal = literal_type(literal);
                match of {
                    Type::Json | Type::Error => of.clone(),
                    _ => Type::union(of.members().iter().filter(|member| member.overlaps(&literal)).map(|member| {
                        if matches!((member, &literal), (Type::Bool, Type::Literal(_))) {
                            literal.clone()
                        } else {
                            member.clone()
                        }
                    })),
                }
            }
            PatternKind::Is(ty) => of.narrowed_to(self.out.ty(ty.id)),
            PatternKind::Record(fields) => match of {
                Type::Json | Type::Error => of.clone(),
                _ => Type::union(of.members().iter().filter_map(|member| self.take_record(fields, member))),
            },
        }
    }

    /// What a record pattern takes of one member: the record with its fields narrowed, if it may match.
    fn take_record(&self, fields: &[PatternField], member: &Type) -> Option<Type> {
        if let Type::Map(_) = member {
            return Some(member.clone());
        }
        let handle = member.handle_record();
        let Type::Record(record) = handle.as_ref().unwrap_or(member) else { return None };
        let mut narrowed: Option<RecordType> = None;
        for field in fields {
            let known = record.fields.get(&field.name.text)?.read();
            let taken = self.take(&field.pattern, &known);
            if taken == Type::Never && known != Type::Never {
                return None;
            }
            if taken != known && handle.is_none() {
                let record = narrowed.get_or_insert_with(|| RecordType { name: None, fields: record.fields.clone() });
                record.fields.insert(field.name.text.clone(), Field::required(taken));
            }
        }
        Some(narrowed.map_or_else(|| member.clone(), |record| Type::Record(Arc::new(record))))
    }

    /// What a pattern leaves over of a type.
    fn leave_over(&self, pattern: &Pattern, of: &Type) -> Type {
        match &pattern.kind {
            PatternKind::Any | PatternKind::Bind(_) => Type::Never,
            PatternKind::Error => Type::Error,
            PatternKind::Literal(Lit::Float(_) | Lit::Duration(_)) => of.clone(),
            PatternKind::Literal(literal) => of.excluding(&literal_type(literal)),
            PatternKind::Is(ty) => match self.out.ty(ty.id) {
                Type::Error => Type::Error,
                Type::Json => Type::Never,
                ty => of.excluding(ty),
            },
            PatternKind::Record(fields) => {
                let left = of.members().iter().map(|member| self.leave_over_record(fields, member));
                Type::union(left.collect::<Vec<_>>())
            }
        }
    }

    /// What a record pattern leaves of one member. Where it takes all of every field but one, the member with what is
    /// left of that field; with more such fields, which combinations are left is not followed up.
    fn leave_over_record(&self, fields: &[PatternField], member: &Type) -> Type {
        let handle = member.handle_record();
        let Type::Record(record) = handle.as_ref().unwrap_or(member) else { return member.clone() };
        let mut partial = None;
        for field in fields {
            let Some(known) = record.fields.get(&field.name.text).map(Field::read) else { return member.clone() };
            match self.leave_over(&field.pattern, &known) {
                Type::Never => {}
                left if partial.is_none() && left != known => partial = Some((field.name.text.clone(), left)),
                _ => return member.clone(),
            }
        }
        match partial {
            None => Type::Never,
            Some((name, left)) => {
                let mut fields = record.fields.clone();
                fields.insert(name, Field::required(left));
                Type::Record(Arc::new(RecordType { name: None, fields }))
            }
        }
    }

    /// Declares what a pattern binds, from what it takes.
    fn bind(&mut self, pattern: &Pattern, taken: &Type, alone: bool) {
        match &pattern.kind {
            PatternKind::Bind(name) if alone => {
                self.declare(&name.text, name.span, pattern.id, taken.clone(), LocalKind::Pattern);
            }
            PatternKind::Record(fields) => {
                self.record(pattern.id, taken.clone());
                for field in fields {
                    let known = taken.members().iter().filter_map(|member| field_of(member, &field.name));
                    let known = known.fold(Type::Never, Type::join);
                    self.bind(&field.pattern, if *taken == Type::Error { taken } else { &known }, alone);
                }
            }
            _ => _ = self.record(pattern.id, taken.clone()),
        }
    }
}

/// Whether a record pattern can match values of a type at all.
fn holds_fields(ty: &Type) -> bool {
    matches!(ty, Type::Record(_) | Type::Map(_) | Type::Json | Type::Image | Type::File)
}

/// What reading a field of a record, map or json gives in a pattern, where absent is null.
fn field_of(ty: &Type, name: &Name) -> Option<Type> {
    match ty {
        Type::Map(of) => Some(Type::clone(of).or_null()),
        Type::Null => None,
        other => other.field(&name.text),
    }
}

/// The type of a pattern's literal.
fn literal_type(literal: &Lit) -> Type {
    match literal {
        Lit::Null => Type::Null,
        Lit::Bool(bool) => Type::Literal(Literal::Bool(*bool)),
        Lit::Int(int) => Type::Literal(Literal::Int(*int)),
        Lit::Float(_) => Type::Float,
        Lit::String(text) => Type::Literal(Literal::String(text.clone())),
        Lit::Duration(_) => Type::Duration,
    }
}
