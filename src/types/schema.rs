//! JSON Schema ⇄ types.
