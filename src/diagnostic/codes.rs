//! Every code there is, once. Codes are never reused; each has a page `docs/errors/CODE.md`.
//!
//! Ranges: `E01` text and syntax, `E02` names, `E03` types, `E04` control flow, `E05` effects and concurrency,
//! `E06` safety, `W07` warnings, `E08` the project's `flow.toml`.

use crate::diagnostic::Severity;

/// A kind of mistake.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code {
    /// `E0301`: what people search for.
    pub id: &'static str,
    /// The kind in a few words.
    pub title: &'static str,
    /// Error or warning.
    pub severity: Severity,
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id)
    }
}

macro_rules! codes {
    ($($severity:ident $name:ident $id:literal $title:literal)*) => {
        impl Code {
            $(#[doc = $title] pub const $name: Code = Code { id: $id, title: $title, severity: Severity::$severity };)*
        }
        /// Every code, in order.
        pub const CODES: &[Code] = &[$(Code::$name),*];
    };
}

codes! {
    Error SYNTAX "E0101" "something else was expected here"
    Error UNCLOSED "E0102" "a bracket or string is not closed"
    Error TOO_LARGE "E0103" "the file is too large"
    Error TOO_DEEP "E0104" "the nesting is too deep"
    Error FOREIGN_OPERATOR "E0105" "an operator of another language"
    Error BAD_LITERAL "E0106" "a literal that has no value"
    Error BAD_ESCAPE "E0107" "an unknown escape in a string"
    Error RESERVED_WORD "E0108" "a reserved word used as a name"
    Error NOT_A_STATEMENT "E0109" "a statement begins with a keyword"
    Error CHAINED_COMPARISON "E0110" "comparisons are not chained"
    Error CLAUSE "E0111" "a clause is repeated or out of place"

    Error UNKNOWN_NAME "E0201" "an unknown name"
    Error UNKNOWN_TYPE "E0202" "an unknown type"
    Error UNKNOWN_FIELD "E0203" "an unknown field"
    Error UNKNOWN_METHOD "E0204" "an unknown method"
    Error UNKNOWN_TOOL "E0205" "an unknown tool"
    Error UNKNOWN_FUNCTION "E0206" "an unknown function or flow"
    Error UNKNOWN_ARGUMENT "E0207" "an unknown argument"
    Error UNKNOWN_ANNOTATION "E0208" "an unknown annotation"
    Error UNKNOWN_ERROR_KIND "E0209" "an unknown error kind"
    Error SHADOWED "E0210" "the name is already taken"
    Error DUPLICATE "E0211" "declared twice"
    Error IMPORT "E0212" "an import that cannot be resolved"
    Error IMPORT_CYCLE "E0213" "files that import each other"
    Error STEP_NAME_TAKEN "E0214" "a step's name is used once per block"

    Error MISMATCH "E0301" "a value of another type was expected"
    Error OPERATOR "E0302" "the operator does not work on these types"
    Error CONDITION "E0303" "a condition must be a bool"
    Error MISSING_ARGUMENT "E0304" "an argument is missing"
    Error TOO_MANY_ARGUMENTS "E0305" "too many arguments"
    Error NULLABLE "E0306" "the value may be null"
    Error JSON_UNCHECKED "E0307" "json must be checked before use"
    Error EXTRA_FIELD "E0308" "a field that the type does not have"
    Error MISSING_FIELD "E0309" "a field is missing"
    Error BAD_URL "E0310" "not an absolute http or https address"
    Error INTERPOLATION "E0311" "this type cannot stand in a string"
    Error NOT_ITERABLE "E0312" "only a list can be walked"
    Error NOT_EXHAUSTIVE "E0313" "the match is not exhaustive"
    Error PATTERN "E0314" "the pattern can never match"
    Error CANNOT_INFER "E0315" "the type cannot be inferred"
    Error RECURSIVE_TYPE "E0316" "a type contains itself"
    Error LAMBDA "E0317" "a lambda in the wrong place or of the wrong shape"
    Error NOT_CALLABLE "E0318" "this cannot be called"
    Error INDEX "E0319" "this cannot be indexed"
    Error TYPE_ARGUMENTS "E0320" "wrong number of type arguments"
    Error SECRET_TYPE "E0321" "secret is a type for tool parameters only"

    Error UNREACHABLE "E0401" "unreachable code"
    Error MISSING_YIELD "E0402" "a path that does not yield"
    Error MISSING_RETURN "E0403" "a path that does not return"
    Error MISPLACED "E0404" "a statement out of place"
    Error PREV "E0405" "prev has nothing to stand for"
    Error ESCAPES_PARALLEL "E0406" "return and break do not leave a parallel block"

    Error EFFECT "E0501" "a tool or flow called outside a step"
    Error PARALLEL_DEPENDENCY "E0502" "a parallel branch uses another"
    Error SET_ACROSS "E0503" "a var set from another flow of control"
    Error RECURSION "E0504" "flows and functions do not recurse"
    Error NOT_A_VAR "E0505" "only a var can be set"
    Error PARALLEL_STEPS_ONLY "E0506" "parallel and race hold only named steps"
    Error NOT_TESTABLE "E0507" "mocks and asserts belong in tests"

    Error SECRET "E0601" "a secret would leak"
    Error UNSAFE_RETRY "E0602" "a retry that could do harm twice"
    Error UNDO "E0603" "an undo that does not fit its step"
    Error BUDGET "E0604" "the budget is exceeded before the run begins"
    Error ANNOTATION "E0605" "an annotation that does not fit"

    Error CONFIG "E0801" "a mistake in flow.toml"
    Error TOOL_CHANGED "E0802" "a tool is not what flow.lock says"

    Warning UNUSED "W0701" "never used"
    Warning CONSTANT_CONDITION "W0702" "the condition is always the same"
    Warning UNHANDLED_FAILURE "W0703" "a failure after an irreversible step is not handled"
    Warning UNBOUNDED_FANOUT "W0704" "parallel for without a limit"
    Warning SCHEMA_DRIFT "W0705" "the tool's schema has changed"
    Warning REDUNDANT "W0706" "this has no effect"
}

impl Code {
    /// The code of an id, in either case.
    pub fn find(id: &str) -> Option<Code> {
        CODES.iter().copied().find(|code| code.id.eq_ignore_ascii_case(id))
    }
}
