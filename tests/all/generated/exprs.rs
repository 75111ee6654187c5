//! Generated expressions.

use super::{Generator, Ty, VAR, WORDS};

impl Generator {
    /// An expression of the type. What is not a leaf stands in parentheses, so that binding strength plays no part.
    pub(super) fn expr(&mut self, ty: &Ty, depth: usize) -> String {
        let fitting: Vec<String> =
            self.locals.iter().filter(|(_, local)| local == ty).map(|(name, _)| name.clone()).collect();
        if !fitting.is_empty() && self.choose(3) == 1 {
            return fitting[self.choose(fitting.len())].clone();
        }
        if depth == 0 {
            return self.leaf(ty);
        }
        match self.choose(9) {
            1 => {
                let (condition, narrowed) = self.condition(depth - 1);
                let then = self.narrowed(narrowed.as_ref(), true, |this| this.expr(ty, depth - 1));
                let otherwise = self.narrowed(narrowed.as_ref(), false, |this| this.expr(ty, depth - 1));
                format!("(if {condition} then {then} else {otherwise})")
            }
            2 => self.matched(ty, depth - 1),
            3 => {
                let fits: Vec<usize> =
                    (0..self.functions.len()).filter(|number| self.functions[*number].2 == *ty).collect();
                if fits.is_empty() {
                    return self.made(ty, depth - 1);
                }
                let chosen = fits[self.choose(fits.len())];
                let (name, params, _) = self.functions[chosen].clone();
                let args: Vec<String> = params.iter().map(|param| self.expr(param, depth - 1)).collect();
                format!("{name}({})", args.join(", "))
            }
            4 if !matches!(ty, Ty::Optional(_)) => self.reduced(ty, depth - 1),
            5 => self.field_of(ty).unwrap_or_else(|| self.made(ty, depth - 1)),
            6 if !matches!(ty, Ty::Optional(_)) => {
                let optional = self.expr_optional(ty, depth - 1);
                format!("({optional} ?? {})", self.expr(ty, depth - 1))
            }
            _ => self.made(ty, depth - 1),
        }
    }

    /// A condition, and the optional local that it tells to be there, with what it then is.
    pub(super) fn condition(&mut self, depth: usize) -> (String, Option<(String, Ty)>) {
        let optional = self.locals.iter().rev().find_map(|(name, ty)| match ty {
            Ty::Optional(inner) if !name.starts_with(VAR) => Some((name.clone(), Ty::clone(inner))),
            _ => None,
        });
        match optional {
            Some(found) if self.choose(2) == 1 => (format!("{} != null", found.0), Some(found)),
            _ => (self.expr(&Ty::Bool, depth), None),
        }
    }

    /// Writes something where a local is known to be there, or known to be null.
    pub(super) fn narrowed<T>(
        &mut self,
        narrowed: Option<&(String, Ty)>,
        there: bool,
        write: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let Some((name, ty)) = narrowed else { return write(self) };
        let before = self.locals.clone();
        self.locals.retain(|(local, _)| local != name);
        if there {
            self.locals.push((name.clone(), ty.clone()));
        }
        let text = write(self);
        self.locals = before;
        text
    }

    fn matched(&mut self, ty: &Ty, depth: usize) -> String {
        match self.choose(3) {
            0 => {
                let Some(value) = self.word_local() else { return self.made(ty, depth) };
                // In each arm it is known to be one word, and another match on it would be an error.
                let before = self.locals.clone();
                self.locals.retain(|(local, _)| *local != value);
                let arms: Vec<String> =
                    WORDS.iter().map(|word| format!("\"{word}\" => {}", self.expr(ty, depth))).collect();
                self.locals = before;
                format!("(match {value} {{ {} }})", arms.join(", "))
            }
            1 => {
                let number = self.expr(&Ty::Int, depth);
                let name = self.name("m");
                let first = self.expr(ty, depth);
                self.locals.push((name.clone(), Ty::Int));
                let (guard, bound) = (self.expr(&Ty::Bool, depth), self.expr(ty, depth));
                self.locals.pop();
                let rest = self.expr(ty, depth);
                // In a list, so that the checker does not know the number.
                format!(
                    "(match [{number}].length + 1 {{ 0 | 1 => {first}, {name} if {guard} => {bound}, _ => {rest} }})"
                )
            }
            _ => {
                let Some((local, number)) = self.record_local() else { return self.made(ty, depth) };
                let chosen = self.choose(self.records[number].len());
                let (field, field_ty) = self.records[number][chosen].clone();
                let name = self.name("m");
                self.locals.push((name.clone(), field_ty));
                let bound = self.expr(ty, depth);
                self.locals.pop();
                format!("(match {local} {{ {{ {field}: {name} }} => {bound} }})")
            }
        }
    }

    fn word_local(&mut self) -> Option<String> {
        let words: Vec<&String> = self.locals.iter().filter(|(_, ty)| *ty == Ty::Word).map(|(name, _)| name).collect();
        let words: Vec<String> = words.into_iter().cloned().collect();
        if words.is_empty() { None } else { Some(words[self.choose(words.len())].clone()) }
    }

    fn record_local(&mut self) -> Option<(String, usize)> {
        let found = self.locals.iter().filter_map(|(name, ty)| match ty {
            Ty::Record(number) => Some((name.clone(), *number)),
            _ => None,
        });
        let found: Vec<(String, usize)> = found.collect();
        if found.is_empty() { None } else { Some(found[self.choose(found.len())].clone()) }
    }

    /// A field of this type of a record in sight.
    fn field_of(&mut self, ty: &Ty) -> Option<String> {
        let (local, number) = self.record_local()?;
        let (field, _) = self.records[number].iter().find(|(_, field)| field == ty)?;
        Some(format!("{local}.{field}"))
    }

    /// `list.reduce(start, (so_far, item) => …)`
    fn reduced(&mut self, ty: &Ty, depth: usize) -> String {
        let item = self.ty(0);
        let list = self.whole(&Ty::List(Box::new(item.clone())), depth);
        let (so_far, each) = (self.name("a"), self.name("x"));
        let start = self.whole(ty, 0);
        self.locals.push((so_far.clone(), ty.clone()));
        self.locals.push((each.clone(), item));
        let body = self.expr(ty, depth.min(1));
        self.locals.truncate(self.locals.len() - 2);
        format!("{list}.reduce({start}, ({so_far}, {each}) => {body})")
    }

    /// `T?` of a `T`.
    fn expr_optional(&mut self, ty: &Ty, depth: usize) -> String {
        let list = self.whole(&Ty::List(Box::new(ty.clone())), depth);
        match self.choose(4) {
            0 => format!("{list}.first"),
            1 => format!("{list}.get({})", self.expr(&Ty::Int, depth)),
            2 => {
                let name = self.name("x");
                self.locals.push((name.clone(), ty.clone()));
                let test = self.expr(&Ty::Bool, depth);
                self.locals.pop();
                format!("{list}.find({name} => {test})")
            }
            _ => {
                let map = self.whole(&Ty::Map(Box::new(ty.clone())), depth);
                format!("{map}[{}]", self.expr(&Ty::Str, depth))
            }
        }
    }

    /// An expression whose type is wanted though nothing says it: what stands before a dot or begins a `reduce`. A
    /// literal alone would not say its whole type (`[null]`, `{ a: 1 }`), so it passes through a function that does.
    pub(super) fn whole(&mut self, ty: &Ty, depth: usize) -> String {
        let local = self.locals.iter().find(|(_, local)| local == ty).map(|(name, _)| name.clone());
        if let Some(local) = local.filter(|_| self.choose(2) == 0) {
            return local;
        }
        let value = self.expr(ty, depth);
        let number = self.identities.iter().position(|known| known == ty).unwrap_or_else(|| {
            self.identities.push(ty.clone());
            self.identities.len() - 1
        });
        format!("as_{number}({value})")
    }

    pub(super) fn leaf(&mut self, ty: &Ty) -> String {
        match ty {
            Ty::Int => ["1", "0", "7", "-3", "9223372036854775807"][self.choose(5)].to_owned(),
            Ty::Float => ["1.5", "0.0", "-2.25", "1e300"][self.choose(4)].to_owned(),
            Ty::Bool => ["true", "false"][self.choose(2)].to_owned(),
            Ty::Str => ["\"a\"", "\"\"", "\"two words\"", "\"12\"", "\"äöü €\""][self.choose(5)].to_owned(),
            Ty::Word => format!("\"{}\"", WORDS[self.choose(WORDS.len())]),
            Ty::List(of) => format!("[{}]", self.leaf(of)),
            Ty::Map(of) => format!("{{ key: {} }}", self.leaf(of)),
            Ty::Record(number) => {
                let fields = self.records[*number].clone();
                let fields: Vec<String> =
                    fields.iter().map(|(name, field)| format!("{name}: {}", self.leaf(field))).collect();
                format!("{{ {} }}", fields.join(", "))
            }
            Ty::Optional(of) => {
                if self.choose(2) == 0 {
                    "null".to_owned()
                } else {
                    self.leaf(of)
                }
            }
        }
    }

    /// An expression that belongs to the type.
    fn made(&mut self, ty: &Ty, depth: usize) -> String {
        match ty {
            Ty::Int => self.int(depth),
            Ty::Float => self.float(depth),
            Ty::Bool => self.bool(depth),
            Ty::Str => self.string(depth),
            Ty::Word => self.leaf(ty),
            Ty::List(of) => self.list(of, depth),
            Ty::Map(of) => self.map(of, depth),
            Ty::Record(number) => {
                let fields = self.records[*number].clone();
                let fields: Vec<String> =
                    fields.iter().map(|(name, field)| format!("{name}: {}", self.expr(field, depth))).collect();
                format!("{{ {} }}", fields.join(", "))
            }
            Ty::Optional(of) => match self.choose(3) {
                0 => self.leaf(ty),
                1 => self.expr(of, depth),
                _ => self.expr_optional(of, depth),
            },
        }
    }

    fn int(&mut self, depth: usize) -> String {
        let int = |this: &mut Self| this.expr(&Ty::Int, depth);
        match self.choose(8) {
            1 => format!("({} + {})", int(self), int(self)),
            2 => format!("({} - {} * {})", int(self), int(self), int(self)),
            3 => format!("({} % {})", int(self), int(self)),
            4 => format!("{}.length", self.expr(&Ty::Str, depth)),
            5 => format!("{}.sum()", self.whole(&Ty::List(Box::new(Ty::Int)), depth)),
            6 => format!("{}[{}]", self.whole(&Ty::List(Box::new(Ty::Int)), depth), int(self)),
            7 => format!("(-{})", int(self)),
            _ => self.leaf(&Ty::Int),
        }
    }

    fn float(&mut self, depth: usize) -> String {
        let float = |this: &mut Self| this.expr(&Ty::Float, depth);
        match self.choose(5) {
            1 => format!("({} / {})", self.expr(&Ty::Int, depth), self.expr(&Ty::Int, depth)),
            2 => format!("({} + {})", float(self), self.expr(&Ty::Int, depth)),
            3 => format!("({} * {})", float(self), float(self)),
            4 => format!("({}.avg() ?? 0.0)", self.whole(&Ty::List(Box::new(Ty::Float)), depth)),
            _ => self.leaf(&Ty::Float),
        }
    }

    fn bool(&mut self, depth: usize) -> String {
        let bool = |this: &mut Self| this.expr(&Ty::Bool, depth);
        match self.choose(8) {
            1 => format!("({} and {})", bool(self), bool(self)),
            2 => format!("({} or {})", bool(self), bool(self)),
            3 => format!("(not {})", bool(self)),
            4 => format!("({} < {})", self.expr(&Ty::Int, depth), self.expr(&Ty::Float, depth)),
            5 => {
                let list = self.whole(&Ty::List(Box::new(Ty::Int)), depth);
                format!("({} in {list})", self.expr(&Ty::Int, depth))
            }
            6 => format!("{}.contains({})", self.expr(&Ty::Str, depth), self.expr(&Ty::Str, depth)),
            7 => format!("([{}].length == {})", self.expr(&Ty::Int, depth), self.expr(&Ty::Int, depth)),
            _ => self.leaf(&Ty::Bool),
        }
    }

    fn string(&mut self, depth: usize) -> String {
        let string = |this: &mut Self| this.expr(&Ty::Str, depth);
        match self.choose(6) {
            1 => format!("({} + {})", string(self), string(self)),
            2 => format!("\"<{{{{{}}}}} {{{{{}}}}}>\"", self.expr(&Ty::Int, depth), string(self)),
            3 => format!("{}.upper()", string(self)),
            4 => format!("{}.join(\", \")", self.whole(&Ty::List(Box::new(Ty::Str)), depth)),
            5 => format!("{}.slice({}, {})", string(self), self.leaf(&Ty::Int), self.leaf(&Ty::Int)),
            _ => self.leaf(&Ty::Str),
        }
    }

    fn list(&mut self, of: &Ty, depth: usize) -> String {
        let ty = Ty::List(Box::new(of.clone()));
        match self.choose(7) {
            1 => {
                let items: Vec<String> = (0..=self.choose(3)).map(|_| self.expr(of, depth)).collect();
                format!("[{}]", items.join(", "))
            }
            2 => format!("[...{}, {}]", self.expr(&ty, depth), self.expr(of, depth)),
            // The body has no type to take its form from, and a literal that is to be a map needs one.
            3 if !of.has_map() => {
                let from = self.ty(0);
                let list = self.whole(&Ty::List(Box::new(from.clone())), depth);
                let name = self.name("x");
                self.locals.push((name.clone(), from));
                let body = self.expr(of, depth);
                self.locals.pop();
                format!("{list}.map({name} => {body})")
            }
            4 => {
                let list = self.whole(&ty, depth);
                let name = self.name("x");
                self.locals.push((name.clone(), of.clone()));
                let test = self.expr(&Ty::Bool, depth);
                self.locals.pop();
                format!("{list}.filter({name} => {test})")
            }
            5 => format!("{}.take({})", self.whole(&ty, depth), self.leaf(&Ty::Int)),
            6 => format!("{}.reverse()", self.whole(&ty, depth)),
            _ => self.leaf(&ty),
        }
    }

    fn map(&mut self, of: &Ty, depth: usize) -> String {
        match self.choose(3) {
            1 => format!("{{ a: {}, \"b c\": {} }}", self.expr(of, depth), self.expr(of, depth)),
            2 => {
                let ty = Ty::Map(Box::new(of.clone()));
                format!("{}.merge({})", self.whole(&ty, depth), self.expr(&ty, depth))
            }
            _ => self.leaf(&Ty::Map(Box::new(of.clone()))),
        }
    }
}
