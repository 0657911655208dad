//! How settings are declared: the name, the type, the default and the meaning of each key, once.
//!
//! The macros make the types that a file is read into, and in tests the lists from which docs/settings.md is written. The
//! meaning is the documentation of the key. A document is named from the root, and is a link on the page.

/// A key as docs/settings.md shows it.
#[cfg(test)]
pub struct Key {
    /// Its name, without the section.
    pub name: &'static str,
    /// Its type in the code.
    pub type_name: &'static str,
    /// Its documentation.
    pub meaning: &'static str,
}

/// Declares a table of keys: `/// About it. Name { /// Meaning. key: Type = default, ... }`.
macro_rules! keys {
    ($(#[doc = $about:literal])+ $name:ident {
        $($(#[doc = $meaning:literal])+ $key:ident: $type:ty = $default:expr,)+
    }) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $($(#[doc = $meaning])+ pub $key: $type,)+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($key: $default,)+ }
            }
        }

        #[cfg(test)]
        impl $name {
            /// Its keys.
            pub const KEYS: &'static [$crate::config::declared::Key] = &[
                $($crate::config::declared::Key {
                    name: stringify!($key),
                    type_name: stringify!($type),
                    meaning: concat!($($meaning),+),
                },)+
            ];
        }
    };
}

/// Declares all settings: sections, each a table of keys.
macro_rules! settings {
    ($($(#[doc = $about:literal])+ $section:ident: $name:ident { $($keys:tt)+ })+) => {
        $(keys! { $(#[doc = $about])+ $name { $($keys)+ } })+

        /// All settings.
        #[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Settings {
            $($(#[doc = $about])+ pub $section: $name,)+
        }

        #[cfg(test)]
        impl Settings {
            /// The name and the keys of each section.
            pub const SECTIONS: &'static [(&'static str, &'static [$crate::config::declared::Key])] =
                &[$((stringify!($section), $name::KEYS),)+];
        }
    };
}

pub(super) use keys;
pub(super) use settings;
