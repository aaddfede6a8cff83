//! What the migrations of this program made: bodies of functions and definitions of triggers, read from their text. They
//! are part of the binary, and the last word on each stands.

use std::collections::BTreeMap;

/// A function as the migrations have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Function {
    /// What Postgres keeps as `prosrc`, byte for byte in all its versions.
    pub body: String,
    /// Whether it runs with its owner's rights.
    pub is_definer: bool,
}

/// Functions by name, triggers by name and table in one spelling.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Made {
    pub functions: BTreeMap<String, Function>,
    pub triggers: BTreeMap<String, String>,
}

impl Made {
    /// By the migrations of this program.
    pub fn by_migrations() -> Self {
        let mut made = Self::default();
        for migration in sqlx::migrate!().iter() {
            made.read(migration.sql.as_str());
        }
        made
    }

    /// Goes on with the text of a further migration.
    fn read(&mut self, sql: &str) {
        let mut rest = sql;
        while !rest.is_empty() {
            let words = rest.split_whitespace().take(6).collect::<Vec<_>>();
            let taken = match words.as_slice() {
                ["create", "function", ..] | ["create", "or", "replace", "function", ..] => self.read_function(rest),
                ["create", "trigger", ..] | ["create", "constraint", "trigger", ..] => self.read_trigger(rest),
                ["drop", "function", name, ..] => {
                    self.functions.remove(bare(name));
                    None
                }
                ["drop", "trigger", name, "on", table, ..] => {
                    self.triggers.remove(&place(name, bare(table)));
                    None
                }
                // Its triggers go with it.
                ["drop", "table", table, ..] => {
                    self.move_triggers(bare(table), None);
                    None
                }
                ["alter", "table", from, "rename", "to", to] => {
                    self.move_triggers(bare(from), Some(bare(to)));
                    None
                }
                _ => None,
            };
            let line = || rest.find('\n').map_or(rest.len(), |end| end + 1);
            rest = rest.get(taken.unwrap_or_else(line)..).unwrap_or_default();
        }
    }

    /// Answers how much of the text was its own.
    fn read_function(&mut self, sql: &str) -> Option<usize> {
        let (head, after) = sql.split_once("$$")?;
        let (body, _) = after.split_once("$$")?;
        let (_, named) = head.split_once("function ")?;
        let function = Function { body: body.to_owned(), is_definer: head.contains("security definer") };
        self.functions.insert(bare(named.split_whitespace().next()?).to_owned(), function);
        Some(head.len() + body.len() + 4)
    }

    fn move_triggers(&mut self, from: &str, to: Option<&str>) {
        let (before, after) = (format!(" on {from}"), to.map(|to| format!(" on {to}")));
        let (moved, kept) = std::mem::take(&mut self.triggers).into_iter().partition(|(place, _)| place.ends_with(&before));
        let moved: BTreeMap<String, String> = moved;
        self.triggers = kept;
        if let Some(after) = after {
            let renamed = |text: &str| text.replacen(&before, &after, 1);
            self.triggers.extend(moved.iter().map(|(place, definition)| (renamed(place), renamed(definition))));
        }
    }

    fn read_trigger(&mut self, sql: &str) -> Option<usize> {
        let (definition, _) = sql.split_once(';')?;
        let name = definition.split_once("trigger ")?.1.split_whitespace().next()?;
        let table = definition.split_once(" on ")?.1.split_whitespace().next()?;
        self.triggers.insert(place(name, table), spelling(definition));
        Some(definition.len() + 1)
    }
}

fn bare(name: &str) -> &str {
    name.split(['(', ';']).next().unwrap_or(name)
}

/// How a trigger is named in a finding.
pub(super) fn place(name: &str, table: &str) -> String {
    format!("{name} on {table}")
}

/// A definition in one spelling: Postgres shows the same one with schemas, casts and brackets of its own.
pub(super) fn spelling(definition: &str) -> String {
    let plain = definition.to_ascii_lowercase().replace("public.", "").replace("::text", "").replace(['(', ')'], " ");
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_on_a_function_or_trigger_stands() {
        let mut made = Made::default();
        made.read("-- a comment\ncreate function f(a int) returns trigger language plpgsql as $$ one; $$;\ncreate trigger t before insert on u\n    for each row execute function f();\n");
        made.read("create or replace function f(a int) returns trigger language plpgsql security definer as $$ two; $$;\ncreate function g() returns int as $$ $$;\n");
        assert_eq!(made.functions["f"], Function { body: " two; ".into(), is_definer: true });
        assert_eq!(made.triggers["t on u"], "create trigger t before insert on u for each row execute function f");
        made.read("drop trigger t on u;\ndrop function g();\n");
        assert_eq!((made.triggers.len(), made.functions.len()), (0, 1));
        made.read("create trigger t before insert on u for each row execute function f();\n");
        made.read("alter table u rename to v;\n");
        assert_eq!(made.triggers["t on v"], "create trigger t before insert on v for each row execute function f");
        made.read("drop table v;\n");
        assert_eq!(made.triggers.len(), 0, "a trigger goes with its table");
    }

    #[test]
    fn postgres_spells_a_trigger_as_its_migration_does() {
        let shown = "CREATE TRIGGER check_auditor AFTER INSERT ON public.event FOR EACH ROW WHEN (((new.kind = ANY (ARRAY['audit.passed'::text, 'audit.failed'::text])) AND (new.restored_id IS NULL))) EXECUTE FUNCTION check_auditor()";
        assert_eq!(Made::by_migrations().triggers["check_auditor on event"], spelling(shown));
    }
}
