use super::audit::verify;
use super::checkpoint;
use super::clock::KnowPepper;
use super::rows::moment;
use crate::crypto::seal::Hash;
use crate::store::StoreError;
use crate::store::db::{Conn, DbRow, sql};
use crate::store::run::Store;
use crate::store::transfer::{
    AuditHeader, ColumnKind, ExportHeader, FORMAT, TABLES, Tally, TransferProgress, TransferSummary,
    TransferTable, hex, unhex,
};
use crate::store::tx::{Tx, Write};
use serde_json::Value;
use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    path::PathBuf,
};

/// Rows that are read at a time.
const STRIDE: usize = 5000;

/// Rows that are added with one statement.
pub(super) const ROWS: usize = 100;

impl Store {
    /// Writes everything as it is at one moment, while others go on writing. `told` hears of every
    /// table that is done.
    ///
    /// # Errors
    /// When the database or the output fails, or the audit trail is not whole.
    pub async fn export(
        &self,
        output: &mut (dyn std::io::Write + Send),
        told: &(dyn Fn(&str, u64) + Send + Sync),
    ) -> Result<TransferSummary, StoreError> {
        let mut reader = self.reader().await?;
        let mut tx = reader.snapshot().await?;
        let row = sql("SELECT unixepoch() AS now").fetch_one(tx.conn()).await?;
        let made_at = moment(&row, "now")?;
        // The header comes first, so everything is read twice.
        let mut tally = Tally::default();
        for table in TABLES {
            each(tx.conn(), table, &mut |line| {
                tally.add(table, line);
                Ok(())
            })
            .await?;
        }
        let part = checkpoint::part(tx.conn()).await?;
        let audit = AuditHeader::of(&verify(tx.conn(), part).await?)?;
        let header = ExportHeader { format: FORMAT.to_owned(), made_at, tables: tally.headers(), audit };
        let line = serde_json::to_string(&header).map_err(|_| StoreError::Unexpected("the header"))?;
        writeln!(output, "{line}")?;
        for table in TABLES {
            let mut rows = 0;
            each(tx.conn(), table, &mut |line| {
                rows += 1;
                Ok(writeln!(output, "{line}")?)
            })
            .await?;
            told(table.name, rows);
        }
        tx.rollback().await?;
        Ok(TransferSummary::of(&header))
    }
}

/// Every row of a table as a line of JSON, in the table's order.
async fn each(
    mut conn: Conn<'_>,
    table: &TransferTable,
    line: &mut (dyn FnMut(&str) -> Result<(), StoreError> + Send),
) -> Result<(), StoreError> {
    let (name, order, columns) = (table.name, table.order, table.column_names().join(", "));
    let mut done = 0;
    loop {
        let query = format!("SELECT {columns} FROM {name} ORDER BY {order} LIMIT {STRIDE} OFFSET {done}");
        let rows = sql(query).fetch_all(conn.again()).await?;
        for row in &rows {
            let mut values = vec![Value::from(name)];
            for (column, kind) in table.columns {
                values.push(value(row, column, *kind)?);
            }
            line(&Value::from(values).to_string())?;
        }
        done += rows.len();
        if rows.len() < STRIDE {
            return Ok(());
        }
    }
}

fn value(row: &DbRow, column: &'static str, kind: ColumnKind) -> Result<Value, StoreError> {
    Ok(match kind {
        ColumnKind::Text => row.try_get::<Option<String>>(column)?.into(),
        ColumnKind::Integer => row.try_get::<Option<i64>>(column)?.into(),
        ColumnKind::Boolean => row.try_get::<Option<bool>>(column)?.into(),
        ColumnKind::Bytes => row.try_get::<Option<&[u8]>>(column)?.map(hex).into(),
    })
}

/// Brings in what [`Store::export`] wrote, all or nothing. An error when the database is not empty,
/// the file is not whole, or the pepper is another server's.
pub struct Import {
    pub file: PathBuf,
    /// A value that only the right pepper gives.
    pub pepper_check: Hash,
    /// Do all of it, and take it back.
    pub dry_run: bool,
    /// Hears of every table that is done.
    pub told: TransferProgress,
}

impl Write for Import {
    type Output = TransferSummary;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<TransferSummary, StoreError> {
        sql("SAVEPOINT import").execute(tx.conn()).await?;
        let moved = self.bring(tx).await?;
        if self.dry_run {
            sql("ROLLBACK TO SAVEPOINT import").execute(tx.conn()).await?;
        }
        Ok(moved)
    }
}

impl Import {
    async fn bring(&self, tx: &mut Tx<'_>) -> Result<TransferSummary, StoreError> {
        be_empty(tx).await?;
        let mut lines = BufReader::new(File::open(&self.file)?).lines();
        let first = lines.next().transpose()?.unwrap_or_default();
        let header: ExportHeader = serde_json::from_str(first.trim_start_matches('\u{feff}'))
            .map_err(|_| wrong("it is no export of a server"))?;
        if header.format != FORMAT {
            return Err(wrong(&format!("its format is {:?}; this version reads {FORMAT:?}", header.format)));
        }
        let mut lines = lines.peekable();
        let mut tally = Tally::default();
        for table in TABLES {
            let begin = format!("[\"{}\",", table.name);
            let (mut rows, mut batch) = (0, Vec::with_capacity(ROWS));
            while let Some(line) =
                lines.next_if(|line| line.as_ref().map_or(true, |line| line.starts_with(&begin)))
            {
                let line = line?;
                tally.add(table, &line);
                batch.push(serde_json::from_str::<Vec<Value>>(&line).map_err(|_| wrong("a row is no JSON"))?);
                rows += 1;
                if batch.len() == ROWS {
                    insert(tx, table, std::mem::take(&mut batch)).await?;
                }
            }
            insert(tx, table, batch).await?;
            (self.told)(table.name, rows);
        }
        if lines.next().is_some() || tally.headers() != header.tables {
            return Err(wrong("its rows are not those that its first line counts and hashes"));
        }
        let part = checkpoint::part(tx.conn()).await?;
        if AuditHeader::of(&verify(tx.conn(), part).await?)? != header.audit {
            return Err(wrong("its audit trail is another than its first line says"));
        }
        KnowPepper(self.pepper_check).run(tx).await?;
        Ok(TransferSummary::of(&header))
    }
}

fn wrong(reason: &str) -> StoreError {
    StoreError::Transfer(format!("{reason}; nothing was changed"))
}

/// Nothing but the plans that every new database has, which are taken away.
async fn be_empty(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    for table in TABLES.iter().filter(|table| table.name != "plan") {
        let query = format!("SELECT 1 FROM {} LIMIT 1", table.name);
        if sql(query).fetch_optional(tx.conn()).await?.is_some() {
            return Err(StoreError::Transfer(
                "the database is not empty; nothing was changed. Name one that no server was set up in"
                    .to_owned(),
            ));
        }
    }
    sql("DELETE FROM plan").execute(tx.conn()).await?;
    Ok(())
}

async fn insert(tx: &mut Tx<'_>, table: &TransferTable, rows: Vec<Vec<Value>>) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    if rows.iter().any(|row| row.len() != table.columns.len() + 1) {
        return Err(wrong(&format!("a row of {} has other columns", table.name)));
    }
    let columns = table.column_names().join(", ");
    let mut statement = sql(format!("INSERT INTO {} ({columns}) ", table.name));
    for (place, row) in rows.iter().enumerate() {
        statement.push(if place == 0 { "VALUES (" } else { "), (" });
        for (place, ((_, kind), value)) in table.columns.iter().zip(row.iter().skip(1)).enumerate() {
            statement.push(if place == 0 { "" } else { ", " });
            match kind {
                ColumnKind::Text => statement.push_bind(value.as_str()),
                ColumnKind::Integer => statement.push_bind(value.as_i64()),
                ColumnKind::Boolean => statement.push_bind(value.as_bool()),
                ColumnKind::Bytes => statement.push_bind(value.as_str().and_then(unhex)),
            };
        }
    }
    statement.push(")");
    statement.execute(tx.conn()).await?;
    Ok(())
}
