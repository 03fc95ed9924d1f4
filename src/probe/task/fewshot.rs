//! Which rows are worked examples: drawn as the harness draws them, with its seed.

use super::config::Config;
use crate::probe::dataset::DataRow;
use crate::probe::python_random::PythonRandom;

/// The harness's seed for worked examples.
const SEED: u32 = 1234;

/// The rows that can be worked examples, and the state of the draw: it goes on from row to row.
pub struct Shots {
    pool: Vec<DataRow>,
    random: PythonRandom,
    n: usize,
    first_n: bool,
    /// Whether the row that is asked is kept out of its own examples.
    excludes: bool,
    rows: String,
}

impl Shots {
    /// The examples of a task.
    pub fn new(config: &Config, pool: Vec<DataRow>) -> Shots {
        let pool = match &config.fewshot_indices {
            // The sampler that takes the first ones looks at the whole pool.
            Some(indices) if !config.first_n => {
                indices.iter().filter_map(|index| pool.get(*index).cloned()).collect()
            }
            _ => pool,
        };
        Shots {
            pool,
            random: PythonRandom::new(SEED),
            n: config.num_fewshot,
            first_n: config.first_n,
            // As the harness has it: also where neither split is named.
            excludes: config.fewshot_split == config.test_split,
            rows: config.shot_split().unwrap_or("samples").to_string(),
        }
    }

    /// A row of the pool.
    pub fn row(&self, place: usize) -> &DataRow {
        &self.pool[place]
    }

    /// Places in the pool of the examples for one row.
    ///
    /// # Errors
    /// Too few rows.
    pub fn draw(&mut self, asked: &DataRow) -> Result<Vec<usize>, String> {
        if self.n == 0 {
            return Ok(Vec::new());
        }
        let others: Vec<usize> = (0..self.pool.len())
            .filter(|place| !self.excludes || self.pool[*place].cells != asked.cells)
            .collect();
        if others.len() < self.n {
            return Err(format!(
                "{} worked examples are asked for, and {} has {}",
                self.n,
                self.rows,
                others.len()
            ));
        }
        if self.first_n {
            return Ok(others[..self.n].to_vec());
        }
        if !self.excludes {
            return Ok(self.random.sample(self.pool.len(), self.n));
        }
        if self.pool.len() <= self.n {
            return Err(format!(
                "{} worked examples are drawn from {} rows, one of which may be the question",
                self.n,
                self.pool.len()
            ));
        }
        // One more than wanted, in case the row itself is among them.
        let drawn = self.random.sample(self.pool.len(), self.n + 1);
        let mut kept: Vec<usize> =
            drawn.into_iter().filter(|place| self.pool[*place].cells != asked.cells).take(self.n).collect();
        if kept.len() < self.n {
            // Copies of the row were among them: drawn again from the others.
            kept = self.random.sample(others.len(), self.n).into_iter().map(|place| others[place]).collect();
        }
        Ok(kept)
    }
}
