//! Recognizes values that JSON omits: those that are the default of their type.

pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
