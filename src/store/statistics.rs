//! What the planner believes of the tables. It keeps a plan for hours, and a plan that was made for an empty table walks
//! over all of an incident for each of its 47,000 people.

use super::{Store, StoreError};

impl Store {
    /// Brings the statistics up to date, before something that looks at everybody.
    pub async fn analyze(&self) -> Result<(), StoreError> {
        sqlx::query!("select duly_analyze(false)").execute(&self.pool).await?;
        Ok(())
    }

    /// The same for the tables alone that changed by half since the last time: a few times in a run, whatever its size.
    pub async fn analyze_grown(&self) -> Result<(), StoreError> {
        sqlx::query!("select duly_analyze(true)").execute(&self.pool).await?;
        Ok(())
    }
}
