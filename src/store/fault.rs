//! What the database said, as people may read it.

use std::error::Error;
use std::fmt::{Display, Formatter, Result};

/// An error of the database. Its own text ends with a line of Postgres' sources, which helps nobody.
#[derive(Debug)]
pub struct Fault(pub sqlx::Error);

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.0 {
            sqlx::Error::Database(error) => {
                let is_of_data = error.code().is_some_and(|code| code.starts_with("22"));
                f.write_str(&if is_of_data { unquoted(error.message()) } else { error.message().to_owned() })
            }
            other => other.fmt(f),
        }
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            sqlx::Error::Database(_) => None,
            other => other.source(),
        }
    }
}

/// Without what stands in quotes: errors about a value quote it, and it may be somebody's.
fn unquoted(message: &str) -> String {
    message.split('"').enumerate().map(|(i, part)| if i % 2 == 0 { part } else { "…" }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_the_database_quotes_is_left_out() {
        assert_eq!(unquoted("invalid input syntax for type date: \"Marlowe\""), "invalid input syntax for type date: …");
        assert_eq!(unquoted("division by zero"), "division by zero");
    }
}
