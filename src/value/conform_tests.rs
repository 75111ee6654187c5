use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::types::Field;

fn conform(json: serde_json::Value, ty: &Type) -> Result<serde_json::Value, String> {
    let fitted = Value::from(json).conform(ty).map_err(|misfit| misfit.to_string())?;
    assert!(fitted.matches(ty), "{fitted:?} should match {ty}");
    Ok(serde_json::Value::from(&fitted))
}

fn page() -> Type {
    Type::record([
        ("title".into(), Field::required(Type::String)),
        ("words".into(), Field::required(Type::Float)),
        ("author".into(), Field::optional(Type::String)),
    ])
}

#[test]
fn records_lose_extra_fields_and_gain_absent_ones() {
    let fitted = conform(json!({ "extra": 1, "words": 3, "title": "A" }), &page());
    assert_eq!(fitted, Ok(json!({ "title": "A", "words": 3.0, "author": null })));
}

#[test]
fn the_path_of_the_first_misfit_is_told() {
    let ty = Type::record_of([("items", Type::list(page()))]);
    let wrong = json!({ "items": [{ "title": "A", "words": 1 }, { "title": 7, "words": 1 }] });
    assert_eq!(conform(wrong, &ty), Err("expected a string, found the number 7 at `.items[1].title`".to_owned()));
    let missing = json!({ "items": [{ "title": "A" }] });
    assert_eq!(conform(missing, &ty), Err("expected a number, found nothing at `.items[0].words`".to_owned()));
    let odd = json!({ "a b": { "c": true } });
    let ty = Type::map(Type::map(Type::Int));
    assert_eq!(conform(odd, &ty), Err("expected an int, found `true` at `[\"a b\"][\"c\"]`".to_owned()));
}

#[test]
fn texts_become_what_they_write() {
    assert_eq!(
        Value::from("2026-01-02T03:04:05Z").conform(&Type::Datetime).ok(),
        parse_datetime("2026-01-02T03:04:05Z").map(Value::Datetime)
    );
    assert_eq!(Value::from("20s").conform(&Type::Duration).ok(), Some(Value::Duration(20_000)));
    assert_eq!(Value::from("https://example.com").conform(&Type::Url).ok(), Some("https://example.com".into()));
    assert!(Value::from("/relative").conform(&Type::Url).is_err());
    assert!(Value::from("ftp://example.com").conform(&Type::Url).is_err());
    let hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    assert!(Value::from(format!("file:///srv/artifacts/{hash}.png")).conform(&Type::Url).is_ok());
    for other in ["/etc/passwd", &format!("/a/{hash}.png/b"), &format!("host/{hash}.png"), &format!("/{hash}.")] {
        assert!(Value::from(format!("file://{other}")).conform(&Type::Url).is_err(), "{other}");
    }
    assert_eq!(conform(json!(3.0), &Type::Int), Ok(json!(3)));
    assert!(conform(json!(3.5), &Type::Int).is_err());
}

#[test]
fn a_union_takes_the_member_that_is_meant() {
    let ok = Type::record_of([("state", Type::literal("ok")), ("value", Type::Int)]);
    let failed = Type::record_of([("state", Type::literal("failed")), ("why", Type::String)]);
    let either = Type::union([ok, failed]);
    assert_eq!(
        conform(json!({ "state": "failed", "why": "x" }), &either),
        Ok(json!({ "state": "failed", "why": "x" }))
    );
    let wrong = conform(json!({ "state": "ok", "value": "x" }), &either);
    assert_eq!(wrong, Err("expected an int, found the string \"x\" at `.value`".to_owned()));

    let small = Type::record_of([("a", Type::Int)]);
    let large = Type::record_of([("a", Type::Int), ("b", Type::Int)]);
    assert_eq!(conform(json!({ "a": 1, "b": 2 }), &Type::union([small, large])), Ok(json!({ "a": 1, "b": 2 })));

    let text_or_time = Type::union([Type::Datetime, Type::String]);
    assert_eq!(Value::from("soon").conform(&text_or_time).ok(), Some("soon".into()));
    let states = Type::union([Type::literal("a"), Type::literal("b")]);
    assert_eq!(conform(json!("c"), &states), Err("expected `\"a\" | \"b\"`, found the string \"c\"".to_owned()));
    assert_eq!(conform(json!({ "title": 1 }), &page().or_null()).map_err(|e| e.contains(".title")), Err(true));
}

#[test]
fn nothing_is_copied_where_nothing_changes() {
    let list = Value::list((0..10).map(Value::Int));
    let Ok(same) = list.clone().conform(&Type::list(Type::Int)) else { panic!("it fits") };
    assert!(matches!((&list, &same), (Value::List(a), Value::List(b)) if Arc::ptr_eq(a, b)));
    let Ok(one) = Value::from(json!({ "title": "A", "words": 1 })).conform(&page()) else { panic!("it fits") };
    let Ok(two) = Value::from(json!({ "title": "B", "words": 2 })).conform(&page()) else { panic!("it fits") };
    let ty = page();
    let shapes: Vec<_> = [one, two].into_iter().filter_map(|value| value.conform(&ty).ok()).collect();
    let Ok(again) = shapes[0].clone().conform(&ty) else { panic!("it fits") };
    assert!(matches!((&shapes[0], &again), (Value::Record(a), Value::Record(b)) if Arc::ptr_eq(a, b)));
}

#[test]
fn is_reads_nothing_from_text() {
    assert!(!Value::from("20s").matches(&Type::Duration));
    assert!(Value::from(json!({ "title": "A", "words": 1, "more": 1 })).matches(&page()));
    assert!(Value::Int(1).matches(&Type::Float) && !Value::Float(1.0).matches(&Type::Int));
}

/// Types without unions of members that a value cannot tell apart, with values of them.
fn typed() -> impl Strategy<Value = (Type, Value)> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(|int| (Type::Int, Value::Int(int))),
        any::<bool>().prop_map(|bool| (Type::Bool, Value::Bool(bool))),
        (-1e9..1e9).prop_map(|float| (Type::Float, Value::Float(float))),
        "[a-z]{0,30}".prop_map(|text| (Type::String, text.into())),
        (0..1_000_000_000_i64).prop_map(|millis| (Type::Duration, Value::Duration(millis))),
        (0..2_000_000_000_i64).prop_map(|second| {
            (Type::Datetime, Value::Datetime(jiff::Timestamp::from_second(second).unwrap_or_default()))
        }),
        Just((Type::Int.or_null(), Value::Null)),
        Just((Type::literal("on"), Value::from("on"))),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            (inner.clone(), 0..4_usize)
                .prop_map(|((ty, value), count)| (Type::list(ty), Value::list(vec![value; count]))),
            (inner.clone(), "[a-z]{1,3}")
                .prop_map(|((ty, value), key)| (Type::map(ty), Value::map([(key.into(), value)]))),
            proptest::collection::vec(inner, 1..4).prop_map(|parts| {
                let name = |at: usize| Text::from(format!("f{at}"));
                let fields = parts.iter().enumerate().map(|(at, (ty, _))| (name(at), Field::required(ty.clone())));
                let values = parts.iter().enumerate().map(|(at, (_, value))| (name(at), value.clone()));
                (Type::record(fields), Value::record(values))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn a_value_of_a_type_fits_it_and_stays_as_it_is((ty, value) in typed()) {
        prop_assert!(value.matches(&ty));
        let fitted = fit(&value, &ty).map_err(|misfit| TestCaseError::fail(misfit.to_string()))?;
        prop_assert!(fitted.value.is_none() && fitted.dropped == 0);
    }

    #[test]
    fn a_value_survives_json((ty, value) in typed()) {
        let there = serde_json::Value::from(&value);
        let back = Value::from(there).conform(&ty).map_err(|misfit| TestCaseError::fail(misfit.to_string()))?;
        prop_assert_eq!(back, value);
    }
}
