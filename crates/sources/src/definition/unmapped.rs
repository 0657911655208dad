//! Rules of a definition that no definition gives anything to compare with.

use super::{ManagerMatch, SourceDefinition};
use crate::named_columns::nearest;
use crate::reader::shown;

/// Identity attributes that are there though no profile maps them: the display name and the lifecycle state.
const IDENTITY_ATTRIBUTES: [&str; 2] = ["displayName", "cloudLifecycleState"];

/// What the rules of `definition` compare with identity attributes that no profile of `all` makes: such a rule links
/// nobody. Without a profile there are no identities, and nothing is said.
#[must_use]
pub fn unmapped_identity_attributes(definition: &SourceDefinition, all: &[SourceDefinition]) -> Vec<String> {
    let profiles = all.iter().filter_map(|source| source.profile.as_ref());
    let mut known: Vec<String> =
        profiles.flat_map(|profile| profile.attributes.iter().map(|mapping| mapping.name.clone())).collect();
    if known.is_empty() {
        return Vec::new();
    }
    known.extend(IDENTITY_ATTRIBUTES.map(str::to_owned));
    let unknown = |name: &String| !known.contains(name);
    let hint = |name: &str| {
        nearest(name, &known)
            .map_or_else(String::new, |nearest| format!("; the nearest is {}", shown(nearest)))
    };
    let rules = definition.correlation.iter().enumerate();
    let rules = rules.filter(|(_, rule)| unknown(&rule.identity_attribute)).map(|(index, rule)| {
        let (name, hint) = (shown(&rule.identity_attribute), hint(&rule.identity_attribute));
        format!(
            "correlation[{index}].identity_attribute: no profile maps {name}, so the rule links nobody{hint}"
        )
    });
    let manager = match definition.profile.as_ref().map(|profile| &profile.manager.matched) {
        Some(ManagerMatch::Attribute(name)) if unknown(name) => Some(format!(
            "profile.manager.match: no profile maps {}, so nobody has a manager{}",
            shown(name),
            hint(name)
        )),
        Some(ManagerMatch::Attribute(_) | ManagerMatch::NativeIdentity) | None => None,
    };
    rules.chain(manager).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_over_identity_attributes_that_nobody_has() {
        let definition = |kind: &str| {
            let head =
                "name = \"A\"\nkind = \"delimited\"\n[delimited]\npath = \"a\"\nnative_identity = \"id\"\n";
            SourceDefinition::from_toml(&format!("{head}{kind}"), std::path::Path::new("a.toml"))
                .expect("the definition is sound")
        };
        let rule = |name: &str| {
            definition(&format!(
                "[[correlation]]\nidentity_attribute = {name:?}\naccount_attribute = \"id\"\n"
            ))
        };
        let people = definition(
            "[profile]\nname = \"P\"\npriority = 1\n[[profile.attributes]]\nname = \"uid\"\nfrom = \"id\"\n\
             [[profile.attributes]]\nname = \"employeeNumber\"\nfrom = \"id\"\n",
        );
        for name in ["uid", "employeeNumber", "displayName"] {
            assert_eq!(unmapped_identity_attributes(&rule(name), std::slice::from_ref(&people)), [""; 0]);
        }
        let wrong = rule("employeenumber");
        let expected = "correlation[0].identity_attribute: no profile maps \"employeenumber\", so the rule links nobody; \
                        the nearest is \"employeeNumber\"";
        assert_eq!(unmapped_identity_attributes(&wrong, &[people.clone(), wrong.clone()]), [expected]);
        let mut badly_led = people.clone();
        if let Some(profile) = &mut badly_led.profile {
            profile.manager.matched = ManagerMatch::Attribute("Uid".to_owned());
        }
        let expected =
            "profile.manager.match: no profile maps \"Uid\", so nobody has a manager; the nearest is \"uid\"";
        assert_eq!(unmapped_identity_attributes(&badly_led, std::slice::from_ref(&people)), [expected]);
        assert_eq!(unmapped_identity_attributes(&wrong, std::slice::from_ref(&wrong)), [""; 0]);
    }
}
