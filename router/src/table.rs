//! The rules of a view, compiled: of all rules that match a request, the one with the lowest rank is found without
//! looking at most of the others.
//!
//! A rank is a rule's place in the order: explicit priorities first, then the rest by how specific they are, then by age.
//! Hosts lead to paths, by maps where a pattern allows it and of a list where it does not; the leaves hold ranks.
//! A table is never changed: a new view makes a new one.

use std::cmp::Reverse;
use std::collections::HashMap;

use model::{RouterView, Rule, RuleId, Timestamp};

use crate::matcher;

/// A rule's place in [`Table::rules`].
type Rank = usize;

/// The compiled rules.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// In order.
    rules: Vec<Rule>,
    /// By the whole host.
    exact: HashMap<String, Paths>,
    /// By `.x` for the pattern `*.x`.
    suffixes: HashMap<String, Paths>,
    /// All other patterns of hosts.
    globs: Vec<(String, Paths)>,
    /// Rules without a host.
    any: Paths,
}

/// The paths that go with one host: what each leads to.
#[derive(Debug, Default)]
struct Paths {
    /// The best rule without a path.
    any: Option<Rank>,
    /// The best rule of each path without a wildcard.
    exact: HashMap<String, Rank>,
    /// The best rule of each text before a single star at the end.
    prefixes: HashMap<String, Rank>,
    /// The lengths that occur in `prefixes`.
    lengths: Vec<usize>,
    /// All other patterns, in order.
    globs: Vec<(String, Rank)>,
}

impl Table {
    /// Puts the rules of a view in order and files each under its hosts and paths.
    pub(crate) fn compile(view: &RouterView) -> Self {
        let mut rules: Vec<Rule> = view.rules.values().cloned().collect();
        rules.sort_by_cached_key(Precedence::of);
        let mut table = Self::default();
        for (rank, rule) in rules.iter().enumerate() {
            for host in &rule.conditions.host_header {
                let paths = table.of_host(host.to_ascii_lowercase());
                paths.add(&rule.conditions.path_pattern, rank);
            }
            if rule.conditions.host_header.is_empty() {
                table.any.add(&rule.conditions.path_pattern, rank);
            }
        }
        table.rules = rules;
        table
    }

    fn of_host(&mut self, pattern: String) -> &mut Paths {
        if matcher::is_exact(&pattern) {
            return self.exact.entry(pattern).or_default();
        }
        if let Some(suffix) = pattern.strip_prefix('*')
            && suffix.starts_with('.')
            && matcher::is_exact(suffix)
        {
            return self.suffixes.entry(suffix.to_owned()).or_default();
        }
        let known = self.globs.iter().position(|(glob, _)| *glob == pattern);
        let index = known.unwrap_or_else(|| {
            self.globs.push((pattern, Paths::default()));
            self.globs.len() - 1
        });
        &mut self.globs[index].1
    }

    /// The rule for a request; host and path as [`crate::address`] gives them.
    pub(crate) fn find(&self, host: &str, path: &str) -> Option<&Rule> {
        let exact = self.exact.get(host);
        let suffixes = host
            .bytes()
            .enumerate()
            .filter(|(_, byte)| *byte == b'.')
            .filter_map(|(dot, _)| self.suffixes.get(&host[dot..]));
        let globs = self.globs.iter().filter(|(glob, _)| matcher::matches(glob, host));
        let hosts = exact.into_iter().chain(suffixes).chain(globs.map(|(_, paths)| paths));
        let rank = hosts.chain([&self.any]).filter_map(|paths| paths.find(path)).min()?;
        self.rules.get(rank)
    }
}

impl Paths {
    /// Files a rule. Rules come in order, so of those with the same pattern the first stays.
    fn add(&mut self, patterns: &[String], rank: Rank) {
        if patterns.is_empty() {
            self.any.get_or_insert(rank);
        }
        for pattern in patterns {
            let prefix = pattern.strip_suffix('*').filter(|prefix| matcher::is_exact(prefix));
            if matcher::is_exact(pattern) {
                self.exact.entry(pattern.clone()).or_insert(rank);
            } else if let Some(prefix) = prefix {
                self.prefixes.entry(prefix.to_owned()).or_insert(rank);
                if !self.lengths.contains(&prefix.len()) {
                    self.lengths.push(prefix.len());
                }
            } else {
                self.globs.push((pattern.clone(), rank));
            }
        }
    }

    fn find(&self, path: &str) -> Option<Rank> {
        let exact = self.exact.get(path).copied();
        // A length that would cut a character has no prefix that is a text.
        let prefixes = self.lengths.iter().filter_map(|length| path.get(..*length));
        let prefixes = prefixes.filter_map(|prefix| self.prefixes.get(prefix).copied());
        let best = prefixes.chain(exact).chain(self.any).min();
        let better = self.globs.iter().take_while(|(_, rank)| best.is_none_or(|best| *rank < best));
        let mut better = better.filter(|(glob, _)| matcher::matches(glob, path));
        better.next().map(|(_, rank)| *rank).or(best)
    }
}

/// What decides which of two rules is tried first: the lower one.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Precedence {
    band: Band,
    created_at: Timestamp,
    id: RuleId,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Band {
    /// The rule has a priority.
    Explicit(u16),
    /// The more specific host first, then the more specific path.
    Derived(Reverse<Specificity>, Reverse<Specificity>),
}

/// How much a condition asks for, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Specificity {
    Anything,
    Wildcard {
        /// Bytes before the first wildcard. A host is written from its end, so for hosts this counts nothing.
        prefix: usize,
        /// Bytes that are no wildcards.
        literal: usize,
    },
    Exact,
}

impl Precedence {
    fn of(rule: &Rule) -> Self {
        let band = match rule.priority {
            Some(priority) => Band::Explicit(priority),
            None => Band::Derived(
                Reverse(loosest(&rule.conditions.host_header, |_| 0)),
                Reverse(loosest(&rule.conditions.path_pattern, |path| {
                    path.find(['*', '?']).unwrap_or(path.len())
                })),
            ),
        };
        Self { band, created_at: rule.created_at, id: rule.id }
    }
}

/// Any value of a condition suffices, so a condition is as specific as its loosest value: `/v2` or `/v2/*` is a prefix.
fn loosest(patterns: &[String], prefix: impl Fn(&str) -> usize) -> Specificity {
    let of = |pattern: &String| {
        if matcher::is_exact(pattern) {
            return Specificity::Exact;
        }
        let literal = pattern.bytes().filter(|byte| !matches!(byte, b'*' | b'?')).count();
        Specificity::Wildcard { prefix: prefix(pattern), literal }
    };
    patterns.iter().map(of).min().unwrap_or(Specificity::Anything)
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use model::{Action, Conditions, ListenerId, RuleId, Timestamp};
    use proptest::prelude::*;

    use super::*;

    fn rule(number: u8, priority: Option<u16>, hosts: &[&str], paths: &[&str]) -> Rule {
        let texts = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
        made(number, priority, texts(hosts), texts(paths), i64::from(number))
    }

    fn made(
        number: u8,
        priority: Option<u16>,
        host_header: Vec<String>,
        path_pattern: Vec<String>,
        at: i64,
    ) -> Rule {
        Rule {
            id: RuleId::new(Timestamp::EPOCH, [number; 10]),
            listener: ListenerId::new(Timestamp::EPOCH, [0; 10]),
            priority,
            conditions: Conditions { host_header, path_pattern },
            action: Action::FixedResponse {
                status: 200,
                content_type: "text/plain".to_owned(),
                body: number.to_string(),
            },
            service: None,
            created_at: Timestamp::from_millis(at),
        }
    }

    fn table(rules: &[Rule]) -> Table {
        let rules = rules.iter().map(|rule| (rule.id, rule.clone())).collect();
        Table::compile(&RouterView { rules, ..RouterView::default() })
    }

    /// The number of the rule that is found.
    fn found(table: &Table, host: &str, path: &str) -> Option<u8> {
        match &table.find(host, path)?.action {
            Action::FixedResponse { body, status: _, content_type: _ } => body.parse().ok(),
            Action::Forward { target_group: _ } => None,
        }
    }

    #[test]
    fn an_empty_table_finds_nothing() {
        assert_eq!(found(&table(&[]), "a", "/"), None);
    }

    #[test]
    fn the_lowest_priority_wins_whatever_is_more_specific() {
        let table = table(&[
            rule(1, Some(20), &["a.example.com"], &["/img/cat"]),
            rule(2, Some(10), &["*.example.com"], &["/img/*"]),
            rule(3, None, &["a.example.com"], &["/img/cat"]),
        ]);
        assert_eq!(found(&table, "a.example.com", "/img/cat"), Some(2));
    }

    #[test]
    fn every_condition_must_hold_and_one_value_of_it_suffices() {
        let table = table(&[rule(1, Some(1), &["a.com", "*.b.com"], &["/x", "/y/*"])]);
        assert_eq!(found(&table, "a.com", "/y/z"), Some(1));
        assert_eq!(found(&table, "c.b.com", "/x"), Some(1));
        assert_eq!(found(&table, "a.com", "/z"), None);
        assert_eq!(found(&table, "b.com", "/x"), None);
    }

    #[test]
    fn hosts_ignore_case_and_paths_do_not() {
        let table = table(&[rule(1, None, &["Shop.Example.com"], &["/Cart"])]);
        assert_eq!(found(&table, "shop.example.com", "/Cart"), Some(1));
        assert_eq!(found(&table, "shop.example.com", "/cart"), None);
    }

    #[test]
    fn without_priorities_the_more_specific_host_wins_then_the_more_specific_path() {
        let table = table(&[
            rule(1, None, &[], &[]),
            rule(2, None, &[], &["/v2", "/v2/*"]),
            rule(3, None, &["*.example.com"], &[]),
            rule(4, None, &["*.eu.example.com"], &[]),
            rule(5, None, &["a.eu.example.com"], &[]),
            rule(6, None, &["a.eu.example.com"], &["/v2", "/v2/*"]),
            rule(7, None, &["a.eu.example.com"], &["/v2/beta", "/v2/beta/*"]),
            rule(8, None, &["a.eu.example.com"], &["/v2"]),
        ]);
        for (host, path, expected) in [
            ("other", "/", 1),
            ("other", "/v2/x", 2),
            ("other", "/v2x", 1),
            ("b.example.com", "/v2", 3),
            ("b.eu.example.com", "/", 4),
            ("a.eu.example.com", "/", 5),
            ("a.eu.example.com", "/v2/x", 6),
            ("a.eu.example.com", "/v2/beta/x", 7),
            ("a.eu.example.com", "/v2", 8),
        ] {
            assert_eq!(found(&table, host, path), Some(expected), "{host}{path}");
        }
    }

    #[test]
    fn of_rules_that_say_the_same_the_oldest_wins_then_the_lowest_id() {
        let [old, new] = [(1, 5), (2, 3)]
            .map(|(number, at)| made(number, None, vec!["a".to_owned()], Vec::new(), at));
        assert_eq!(found(&table(&[old.clone(), new]), "a", "/"), Some(2));
        let same_age = made(0, None, vec!["a".to_owned()], Vec::new(), 5);
        assert_eq!(found(&table(&[old, same_age]), "a", "/"), Some(0));
    }

    /// The order, implemented a second time.
    fn earlier(a: &Rule, b: &Rule) -> Ordering {
        let band = match (a.priority, b.priority) {
            (Some(a), Some(b)) => a.cmp(&b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => {
                let host = |rule: &Rule| score(&rule.conditions.host_header, false);
                let path = |rule: &Rule| score(&rule.conditions.path_pattern, true);
                host(b).cmp(&host(a)).then(path(b).cmp(&path(a)))
            }
        };
        band.then(a.created_at.cmp(&b.created_at)).then(a.id.cmp(&b.id))
    }

    /// Kind, prefix, literals: of the value that asks for least.
    fn score(values: &[String], is_path: bool) -> (u8, usize, usize) {
        let one = |text: &String| {
            let literal = text.replace(['*', '?'], "").len();
            if literal == text.len() {
                return (2, 0, 0);
            }
            let prefix = text.split(['*', '?']).next().map_or(0, str::len);
            (1, if is_path { prefix } else { 0 }, literal)
        };
        values.iter().map(one).min().unwrap_or((0, 0, 0))
    }

    fn oracle<'a>(rules: &'a [Rule], host: &str, path: &str) -> Option<&'a Rule> {
        let mut order: Vec<&Rule> = rules.iter().collect();
        order.sort_by(|a, b| earlier(a, b));
        order.into_iter().find(|rule| {
            let Conditions { host_header, path_pattern } = &rule.conditions;
            let holds = |values: &[String], text: &str| {
                values.is_empty() || values.iter().any(|value| matcher::matches(value, text))
            };
            let hosts: Vec<String> = host_header.iter().map(|h| h.to_lowercase()).collect();
            holds(&hosts, host) && holds(path_pattern, path)
        })
    }

    /// Few letters, so that patterns and requests meet often.
    fn rules() -> impl Strategy<Value = Vec<Rule>> {
        let host = prop_oneof!["[abAB](\\.[ab]){0,2}", "\\*(\\.[ab]){1,2}", "[ab*?.]{0,4}"];
        let path =
            prop_oneof!["(/[abA]){1,3}", "(/[ab]){0,2}/\\*", "/[ab*?/]{0,4}", "[ab*?/]{0,3}"];
        let some = prop::option::of(1_u16..6);
        let hosts = prop::collection::vec(host, 0..3);
        let paths = prop::collection::vec(path, 0..3);
        prop::collection::vec((some, hosts, paths, 0_i64..3), 0..24).prop_map(|rows| {
            let numbered = (0_u8..).zip(rows);
            numbered
                .map(|(n, (priority, hosts, paths, at))| made(n, priority, hosts, paths, at))
                .collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn the_table_finds_what_a_look_at_every_rule_finds(
            rules in rules(),
            requests in prop::collection::vec(("[ab.]{1,5}", "/[abA/]{0,5}"), 1..16),
        ) {
            let table = table(&rules);
            for (host, path) in requests {
                prop_assert_eq!(
                    table.find(&host, &path).map(|rule| rule.id),
                    oracle(&rules, &host, &path).map(|rule| rule.id),
                    "{} {}", host, path,
                );
            }
        }
    }
}
