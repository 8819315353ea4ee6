//! Scopes of access tokens, as clients of the token flow write them: `repository:NAME:pull,push` and `registry:catalog:*`.
//! What is granted is the intersection of what is asked and what the principal may; asking too much fails nothing.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use access::{Action, Resource, ResourceKind, authorize};
use model::{Principal, RepositoryName, State};

/// Scopes that one token holds at most; more are not granted.
const MOST: usize = 32;

/// What can be asked for on a repository; `*` is all of it.
const VERBS: [(&str, Action); 3] = [
    ("pull", Action::RepositoryPull),
    ("push", Action::RepositoryPush),
    ("delete", Action::RepositoryDelete),
];

/// What a token may be used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The list of repositories.
    Catalog,
    /// Actions on one repository.
    Repository(RepositoryName, BTreeSet<Action>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotAScope;

impl FromStr for Scope {
    type Err = NotAScope;

    fn from_str(text: &str) -> Result<Self, NotAScope> {
        let (kind, rest) = text.split_once(':').ok_or(NotAScope)?;
        let (name, verbs) = rest.rsplit_once(':').ok_or(NotAScope)?;
        if (kind, name) == ("registry", "catalog") {
            return Ok(Self::Catalog);
        }
        match (kind, name.parse()) {
            ("repository", Ok(name)) => Ok(Self::Repository(name, actions(verbs))),
            (_, Ok(_) | Err(_)) => Err(NotAScope),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Repository(name, actions) = self else {
            return f.write_str("registry:catalog:*");
        };
        let verbs = VERBS.iter().filter(|(_, action)| actions.contains(action));
        let verbs: Vec<&str> = verbs.map(|(verb, _)| *verb).collect();
        write!(f, "repository:{name}:{}", verbs.join(","))
    }
}

fn actions(verbs: &str) -> BTreeSet<Action> {
    let of = |asked| {
        let is_meant = move |verb: &str| asked == "*" || asked == verb;
        VERBS.into_iter().filter(move |(verb, _)| is_meant(verb)).map(|(_, action)| action)
    };
    verbs.split(',').flat_map(of).collect()
}

/// What of `asked` the principal may. Each text may hold several scopes, separated by spaces.
pub(crate) fn grant<'a>(
    state: &State,
    principal: &Principal,
    asked: impl Iterator<Item = &'a str>,
) -> Vec<Scope> {
    let scopes = asked.flat_map(str::split_whitespace).filter_map(|text| text.parse().ok());
    scopes.filter_map(|scope| allowed(state, principal, scope)).take(MOST).collect()
}

fn allowed(state: &State, principal: &Principal, scope: Scope) -> Option<Scope> {
    match scope {
        Scope::Catalog => {
            let all = Resource::any(ResourceKind::Repository);
            let may = authorize(state, principal, Action::RepositoryList, &all);
            may.is_ok().then_some(Scope::Catalog)
        }
        Scope::Repository(name, mut actions) => {
            let repository = Resource::repository(&name);
            actions.retain(|action| authorize(state, principal, *action, &repository).is_ok());
            (!actions.is_empty()).then_some(Scope::Repository(name, actions))
        }
    }
}

/// Whether one of the scopes allows it.
pub(crate) fn cover(scopes: &[Scope], action: Action, resource: &Resource) -> bool {
    scopes.iter().any(|scope| match scope {
        Scope::Catalog => resource.name.is_none() && action == Action::RepositoryList,
        Scope::Repository(name, actions) => {
            resource.is_repository(name) && actions.contains(&action)
        }
    })
}

/// What a client must ask for to be allowed this.
pub(crate) fn wanted(action: Action, resource: &Resource) -> String {
    let verbs = if action == Action::RepositoryPush {
        "pull,push"
    } else if action == Action::RepositoryDelete {
        "delete"
    } else {
        "pull"
    };
    match resource.repository_name() {
        Some(name) => format!("repository:{name}:{verbs}"),
        None => "registry:catalog:*".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admin() -> Principal {
        Principal::User(access::ADMINISTRATOR.to_owned())
    }

    fn granted(principal: &Principal, asked: &[&str]) -> Vec<Scope> {
        grant(&State::default(), principal, asked.iter().copied())
    }

    fn hello() -> Resource {
        Resource::repository(&"team/hello".parse().unwrap())
    }

    #[test]
    fn what_is_asked_and_allowed_is_granted_and_nothing_else() {
        let asked = ["repository:team/hello:pull,push,fly", "repository:b:* registry:catalog:*"];
        let scopes = granted(&admin(), &asked);
        assert_eq!(scopes.len(), 3);
        assert!(cover(&scopes, Action::RepositoryPull, &hello()));
        assert!(cover(&scopes, Action::RepositoryPush, &hello()));
        assert!(!cover(&scopes, Action::RepositoryDelete, &hello()), "it was not asked for");
        let all = Resource::any(ResourceKind::Repository);
        assert!(cover(&scopes, Action::RepositoryList, &all));
        assert!(!cover(&scopes[..2], Action::RepositoryList, &all));
        assert_eq!(granted(&Principal::Anonymous, &asked), []);
    }

    #[test]
    fn what_is_no_scope_grants_nothing_and_fails_nothing() {
        for odd in ["", ":", "repository", "repository:A:pull", "repository:a", "x:a:pull", "::"] {
            assert_eq!(granted(&admin(), &[odd]), [], "{odd}");
        }
        let many: Vec<String> = (0..100).map(|n| format!("repository:r{n}:pull")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(granted(&admin(), &many).len(), MOST);
    }

    #[test]
    fn a_scope_reads_back_what_it_writes() {
        for text in ["registry:catalog:*", "repository:a/b:pull,push,delete", "repository:a:push"] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_client_that_asks_for_what_is_wanted_is_allowed() {
        let actions = [Action::RepositoryPull, Action::RepositoryPush, Action::RepositoryDelete];
        for action in actions {
            let scopes = granted(&admin(), &[&wanted(action, &hello())]);
            assert!(cover(&scopes, action, &hello()), "{action}");
        }
    }
}
